// The tooltip of the list in Load VGG19 says which files of filters there are, with their sizes, which its values leave out.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"

const NODE = "GatysLoadVGG19"
const LANGUAGES = await api.fetchApi("/i18n").then((reply) => reply.json()).catch(() => ({})) // then English stays

/** What the list says of itself in the page's language, and below it a line for each file. */
function tooltip({ tooltip, sizes }) {
  const words = LANGUAGES[app.extensionManager.setting.get("Comfy.Locale") || "en"]?.nodeDefs?.[NODE]
  const files = Object.entries(sizes ?? {}).map(([name, size]) => `${name}: ${size}`)
  return [words?.inputs?.weights?.tooltip ?? tooltip, ...files].join("\n")
}

app.registerExtension({
  name: "Gatys.Files",
  nodeCreated(node) {
    if (node.comfyClass !== NODE) return
    const widget = node.widgets?.find((one) => one.name === "weights")
    const told = () => node.constructor.nodeData.input.required.weights[1] // anew after the page has read its lists again
    if (widget) Object.defineProperty(widget, "tooltip", { get: () => tooltip(told()), set() {}, enumerable: true, configurable: true })
  }
})
