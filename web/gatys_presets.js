// A menu of published settings at the foot of Gatys Optimize. Choosing one writes its values into the widgets of that
// node and of the nodes wired into it, where they can be read and changed. Data: gatys_presets.json; words: gatys_texts.json,
// and locales/ for other languages.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"

const OPTIMIZE = "GatysOptimize"
const NODES = {
  GatysLoadVGG19: "Load VGG19",
  GatysExtractContentFeatures: "Extract Content Features",
  GatysExtractStyleGrams: "Extract Style Grams",
  [OPTIMIZE]: "Gatys Optimize"
}

// before any node is made: what a widget offers is fixed then
async function load(name) {
  const reply = await fetch(new URL(name, import.meta.url))
  if (!reply.ok) throw new Error(`Gatys Style Transfer: ${name}: ${reply.status}`)
  return reply.json()
}

const [PRESETS, TEXTS, LANGUAGES] = await Promise.all([
  load("gatys_presets.json"),
  load("gatys_texts.json"),
  api.fetchApi("/i18n").then((reply) => reply.json()).catch(() => ({})) // then English stays
])

const locale = () => app.extensionManager.setting.get("Comfy.Locale") || "en"
const words = () => LANGUAGES[locale()]?.gatysPresets ?? {}
const say = (key, values) => (words()[key] ?? TEXTS[key]).replace(/\{(\w+)\}/g, (_, name) => values[name])
const nodeName = (type) => LANGUAGES[locale()]?.nodeDefs?.[type]?.display_name ?? NODES[type]
const widgetName = (name) => LANGUAGES[locale()]?.nodeDefs?.[OPTIMIZE]?.inputs?.[name]?.name ?? name

const INSIDE = "-10" // what wires give as the node where they come into a subgraph; newer pages say it as a text

const linkOf = (graph, id) => graph.getLink?.(id) ?? graph.links.get?.(id) ?? graph.links[id]

/** The node in which this subgraph is used, seen from the graph at the root; the first if there are several. */
function user(subgraph, graph = app.graph.rootGraph ?? app.graph) {
  for (const node of graph._nodes) {
    if (node.subgraph === subgraph) return node
    const found = node.subgraph && user(subgraph, node.subgraph)
    if (found) return found
  }
  return null
}

/** What a wire comes from: {node}, or {widget} of a subgraph's outside; wires are followed into subgraphs and out of them. */
function origin(graph, id) {
  const link = id == null ? null : linkOf(graph, id)
  if (!link) return {}
  if (String(link.origin_id) === INSIDE) {
    const outside = user(graph)
    const name = graph.inputs[link.origin_slot]?.name
    const input = outside?.inputs.find((one) => one.name === name)
    if (input?.link != null) return origin(outside.graph, input.link)
    return { widget: outside?.widgets?.find((one) => one.name === name) }
  }
  const node = graph.getNodeById(link.origin_id)
  if (node?.subgraph) return origin(node.subgraph, node.subgraph.outputs[link.origin_slot]?.linkIds?.[0])
  return { node }
}

const sources = (node) => (node.inputs ?? []).map((input) => origin(node.graph, input.link).node).filter(Boolean)

/** The node and all that is wired into it, however far away. */
function upstream(node) {
  const found = new Set([node])
  for (const one of found) for (const source of sources(one)) found.add(source)
  return [...found]
}

/** What a widget will be in the run: its value, or that of the number wired into it; undefined if only the run tells. */
function valueOf(node, name) {
  const input = node.inputs?.find((one) => one.widget?.name === name)
  if (input?.link == null) return node.widgets?.find((one) => one.name === name)?.value
  const { node: source, widget } = origin(node.graph, input.link)
  return (widget ?? (source?.type.startsWith("Primitive") ? source.widgets?.[0] : null))?.value
}

/** [width, height] of the content picture, as far as the graph says it before it runs; null if it does not. */
function contentSize(nodes) {
  const extract = nodes.find((node) => node.type === "GatysExtractContentFeatures")
  return extract ? sizeInto(extract, "image") : null
}

function sizeInto(node, name) {
  const input = node.inputs?.find((one) => one.name === name)
  const source = input && origin(node.graph, input.link).node
  if (!source) return null
  const has = (name) => source.widgets?.some((widget) => widget.name === name)
  if (has("width") && has("height")) {
    const size = [valueOf(source, "width"), valueOf(source, "height")]
    return size.every((edge) => edge > 0) ? size : null
  }
  if (has("largest_size")) {
    const size = sizeInto(source, "image")
    const largest = valueOf(source, "largest_size")
    return size && largest > 0 ? size.map((edge) => Math.round((edge * largest) / Math.max(...size))) : null
  }
  const shown = sources(source).length ? null : source.imgs?.[0]
  return shown?.naturalWidth ? [shown.naturalWidth, shown.naturalHeight] : null
}

function set(node, name, value) {
  const widget = node.widgets?.find((one) => one.name === name)
  if (!widget) return false
  widget.value = value
  widget.callback?.(value, app.canvas, node)
  if (widget.advanced ?? widget.options?.advanced) node.showAdvanced = true // what was set should be seen
  widget.value = value // the callback of a whole number rounds it
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
    if (!those.length) missing.push(say("node", { node: nodeName(type) }))
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
    const widgets = new Intl.ListFormat(locale()).format(preset.per_pixel.map(widgetName))
    const [width, height] = size ?? [preset.size, preset.size]
    notes.push(say("pixels", { widgets, width, height }))
  }
  notes.push(say(preset.edge, { size: preset.size }))
  if (preset.stretch) notes.push(say("stretch"))
  const { title, remark } = words().presets?.[name] ?? preset
  app.extensionManager.toast.add({
    severity: missing.length ? "warn" : "info",
    summary: `${name}: ${title}`,
    detail: [...missing, remark, ...notes, preset.source].join("\n"),
    life: 20000
  })
}

/** Trained weights must be there before they can be chosen; without them the node keeps its own. */
function fillWeights(node, file, preset, missing) {
  const values = node.widgets?.find((widget) => widget.name === "weights")?.options?.values ?? []
  const offered = typeof values === "function" ? values() : values
  const found = offered.find((value) => value === file || value.split(/[\\/]/).pop() === file)
  if (found) set(node, "weights", found)
  else missing.push(say("weights", { file, address: preset.weights_from, node: nodeName("GatysLoadVGG19") }))
}

app.registerExtension({
  name: "Gatys.Presets",
  nodeCreated(node) {
    if (node.comfyClass !== OPTIMIZE) return
    const prompt = say("choose")
    const choose = (name) => {
      if (name in PRESETS) fill(node, name, PRESETS[name])
      setTimeout(() => (menu.value = prompt)) // it is an action: what it has done stands in the other widgets
    }
    const menu = node.addWidget("combo", "preset", prompt, choose, { values: [prompt, ...Object.keys(PRESETS)], serialize: false })
    menu.serialize = false
    menu.label = say("label")
    menu.tooltip = say("tooltip")
  }
})
