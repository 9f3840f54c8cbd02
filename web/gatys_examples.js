// Our templates ask for pictures and films of the folder `examples`: one that is not among the inputs yet is put there when a
// workflow with nodes of ours and that picture is opened. Nothing that is there is overwritten.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"

const EXAMPLES = ["content.jpg", "style.jpg", "style2.jpg", "dusk.jpg", "panorama.jpg", "portrait.webp", "clip.mp4", "clip_matte.mp4"]

/** The nodes of a saved workflow, those of its subgraphs too. */
const all = (workflow) => [workflow, ...(workflow?.definitions?.subgraphs ?? [])].flatMap((graph) => graph?.nodes ?? [])

const isInput = async (name) => (await api.fetchApi(`/view?type=input&filename=${encodeURIComponent(name)}`, { method: "HEAD" })).ok

async function put(name) {
  const picture = await fetch(api.fileURL(`/gatys/examples/${name}`))
  if (!picture.ok) return false
  const body = new FormData()
  body.append("image", new File([await picture.blob()], name))
  return (await api.fetchApi("/upload/image", { method: "POST", body })).ok
}

app.registerExtension({
  name: "Gatys.Examples",
  async beforeConfigureGraph(workflow) {
    const nodes = all(workflow)
    if (!nodes.some((node) => node.type.startsWith("Gatys"))) return
    const named = nodes.filter((node) => ["LoadImage", "LoadVideo"].includes(node.type)).map((node) => node.widgets_values?.[0])
    let added = false
    for (const name of EXAMPLES.filter((name) => named.includes(name))) {
      if (!(await isInput(name))) added = (await put(name)) || added
    }
    if (added) await (app.reloadNodeDefs ?? app.refreshComboInNodes).call(app) // or the list of Load Image would not have them
  }
})
