// Chooses a preset in graphs of several makings, and says what it has set: for test_page_presets.py.
//   NODE_PATH=<where playwright-core is> node page_presets.js URL CHROMIUM PRESET WORKFLOWS_FOLDER
// Writes one JSON object to stdout: {making: {values: {node: {widget: value}}, detail}}, where `detail` is the message's text. Makings: `plain`,
// style_transfer as it is; `inside`, its own nodes in a subgraph; `across`, all of them but Gatys Optimize; `deep`, in two, one in the other; `wired`,
// figure_4_tradeoff, whose size is wired in.
const fs = require("fs")
const path = require("path")
const { open, program } = require("./page.js")
const [url, chromium, preset, folder] = process.argv.slice(2)
const MAKINGS = { plain: [], inside: [() => true], across: [(type) => type !== "GatysOptimize"], deep: [() => true, (type) => type !== "GatysOptimize"], wired: [] }

/** Put the nodes of ours that `chosen` picks into a subgraph, where they are. */
const wrap = (source) => {
  const chosen = eval(source)
  const find = (graph) => {
    if (graph._nodes.some((node) => node.type === "GatysOptimize")) return graph
    return graph._nodes.map((node) => node.subgraph && find(node.subgraph)).find(Boolean)
  }
  const graph = find(window.app.graph)
  graph.convertToSubgraph(new Set(graph._nodes.filter((node) => node.type.startsWith("Gatys") && chosen(node.type))))
}

const choose = (preset) => {
  const all = (graph) => graph._nodes.flatMap((node) => [node, ...(node.subgraph ? all(node.subgraph) : [])])
  const nodes = all(window.app.graph)
  const { toast } = window.app.extensionManager
  const add = toast.add
  let detail
  toast.add = (message) => (detail = message.detail)
  const menu = nodes.find((node) => node.type === "GatysOptimize").widgets.find((widget) => widget.name === "preset")
  menu.callback(preset)
  toast.add = add
  const values = {}
  for (const node of nodes.filter((node) => node.type.startsWith("Gatys"))) {
    values[node.type] ??= Object.fromEntries(node.widgets.filter((widget) => widget.serialize !== false).map((widget) => [widget.name, widget.value]))
  }
  return { values, detail }
}

program(async () => {
  const { browser, page } = await open(url, chromium, () => {})
  const report = {}
  for (const [making, wraps] of Object.entries(MAKINGS)) {
    const name = making === "wired" ? "figure_4_tradeoff" : "style_transfer"
    await page.evaluate((saved) => window.app.loadGraphData(saved), JSON.parse(fs.readFileSync(path.join(folder, `${name}.json`))))
    await page.waitForTimeout(1500) // the pictures' sizes are known once they are shown
    for (const chosen of wraps) await page.evaluate(wrap, String(chosen))
    await page.waitForTimeout(300)
    report[making] = await page.evaluate(choose, preset)
  }
  await browser.close()
  return report
})
