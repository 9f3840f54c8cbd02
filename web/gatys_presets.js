// A menu of published settings at the foot of Gatys Optimize. Choosing one writes its values into the widgets of that
// node and of the nodes wired into it, where they can be read and changed. Data: gatys_presets.json.
import { app } from "../../scripts/app.js"

const OPTIMIZE = "GatysOptimize"
const CHOOSE = "choose to fill in …"
const NODES = {
  GatysLoadVGG19: "Load VGG19",
  GatysExtractContentFeatures: "Extract Content Features",
  GatysExtractStyleGrams: "Extract Style Grams",
  [OPTIMIZE]: "Gatys Optimize"
}

// before any node is made: what a widget offers is fixed then
const reply = await fetch(new URL("gatys_presets.json", import.meta.url))
if (!reply.ok) throw new Error(`Gatys Style Transfer: gatys_presets.json: ${reply.status}`)
const PRESETS = await reply.json()

const sources = (node) =>
  (node.inputs ?? []).flatMap((input, slot) => (input.link == null ? [] : [node.getInputNode(slot)])).filter(Boolean)

/** The node and all that is wired into it, however far away. */
function upstream(node) {
  const found = new Set([node])
  for (const one of found) for (const source of sources(one)) found.add(source)
  return [...found]
}

/** [width, height] of the content picture, as far as the graph says it before it runs; null if it does not. */
function contentSize(nodes) {
  const extract = nodes.find((node) => node.type === "GatysExtractContentFeatures")
  return extract ? sizeInto(extract, "image") : null
}

function sizeInto(node, name) {
  const slot = node.inputs?.findIndex((input) => input.name === name) ?? -1
  const source = slot < 0 ? null : node.getInputNode(slot)
  if (!source) return null
  const value = (widget) => source.widgets?.find((one) => one.name === widget)?.value
  if (value("width") > 0 && value("height") > 0) return [value("width"), value("height")]
  if (value("largest_size") > 0) {
    const size = sizeInto(source, "image")
    return size && size.map((edge) => Math.round((edge * value("largest_size")) / Math.max(...size)))
  }
  const shown = sources(source).length ? null : source.imgs?.[0]
  return shown?.naturalWidth ? [shown.naturalWidth, shown.naturalHeight] : null
}

/** Show at least four digits: a coefficient of 0.0015 must not look like 0. */
function showDigits(widget) {
  if (typeof widget.value !== "number" || !widget.value || widget.options?.precision == null) return
  const digits = 3 - Math.floor(Math.log10(Math.abs(widget.value)))
  const needed = [...Array(Math.max(0, digits) + 1).keys()].find((n) => +widget.value.toFixed(n) === widget.value) ?? digits
  widget.options.precision = Math.max(widget.options.precision, needed)
}

function set(node, name, value) {
  const widget = node.widgets?.find((one) => one.name === name)
  if (!widget) return false
  widget.value = value
  widget.callback?.(value, app.canvas, node)
  if (widget.advanced ?? widget.options?.advanced) node.showAdvanced = true // what was set should be seen
  widget.value = value // the callback of a number rounds it
  showDigits(widget)
  return true
}

function fill(optimize, name, preset) {
  const nodes = upstream(optimize)
  const size = contentSize(nodes)
  const pixels = size ? (size[0] * size[1]) / preset.size ** 2 : 1
  const notes = []
  const missing = []
  optimize.graph?.beforeChange?.()
  for (const [type, widgets] of Object.entries(preset.nodes)) {
    const those = nodes.filter((node) => node.type === type && (type !== OPTIMIZE || node === optimize))
    if (!those.length) missing.push(`No ${NODES[type]} is wired in: its settings are missing.`)
    for (const node of those) {
      for (const [widget, value] of Object.entries(widgets)) {
        if (widget === "weights") fillWeights(node, value, preset, missing)
        else set(node, widget, preset.per_pixel.includes(widget) ? value * pixels : value)
      }
    }
  }
  optimize.properties["Gatys preset"] = name
  optimize.graph?.afterChange?.()
  app.graph.setDirtyCanvas(true, true)
  if (preset.per_pixel.length) {
    const what = preset.per_pixel.join(" and ")
    const [width, height] = size ?? [preset.size, preset.size]
    notes.push(`${what} goes with the number of pixels and is set for ${width} × ${height}; choose again for another size.`)
  }
  notes.push(`The source makes the content's ${preset.edge} ${preset.size} pixels.`)
  if (preset.stretch) notes.push("It makes the style picture as large as the content.")
  app.extensionManager.toast.add({
    severity: missing.length ? "warn" : "info",
    summary: `${name}: ${preset.title}`,
    detail: [...missing, preset.remark, ...notes, preset.source].join("\n"),
    life: 20000
  })
}

/** Trained weights must be there before they can be chosen; without them the node keeps its own. */
function fillWeights(node, file, preset, missing) {
  const values = node.widgets?.find((widget) => widget.name === "weights")?.options?.values ?? []
  const offered = typeof values === "function" ? values() : values
  const found = offered.find((value) => value === file || value.split(/[\\/]/).pop() === file)
  if (found) set(node, "weights", found)
  else missing.push(`It needs ${file} in models/vgg19, from ${preset.weights_from}; Load VGG19 keeps its weights.`)
}

app.registerExtension({
  name: "Gatys.Presets",
  nodeCreated(node) {
    if (node.comfyClass !== OPTIMIZE) return
    const choose = (name) => {
      if (name in PRESETS) fill(node, name, PRESETS[name])
      setTimeout(() => (menu.value = CHOOSE)) // it is an action: what it has done stands in the other widgets
    }
    const menu = node.addWidget("combo", "preset", CHOOSE, choose, { values: [CHOOSE, ...Object.keys(PRESETS)], serialize: false })
    menu.serialize = false
    menu.tooltip = "Published settings: fills the widgets of this node and of the nodes wired into it. They can be changed afterwards."
  },
  loadedGraphNode(node) {
    if (node.comfyClass in NODES) node.widgets?.forEach(showDigits)
  }
})
