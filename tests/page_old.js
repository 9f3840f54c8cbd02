// Opens workflows of version 0.1 in ComfyUI's own page, and wires further styles and masks where sockets grow: for test_page_old.py.
//   NODE_PATH=<where playwright-core is> node page_old.js URL CHROMIUM classic|vue WORKFLOW.json ...
// Writes one JSON object to stdout: {name: {missing, errors, widgets, sockets, prompt, grown, again}}, where `sockets` are the inputs
// of each of our nodes, `grown` the same and the prompt after wires were added, and `again` after that was saved and opened.
const fs = require("fs")
const path = require("path")
const { open, program } = require("./page.js")
const [url, chromium, mode, ...files] = process.argv.slice(2)

const look = async () => {
  const nodes = window.app.graph._nodes
  const ours = nodes.filter((node) => node.type.startsWith("Gatys"))
  const known = window.LiteGraph.registered_node_types
  return {
    missing: nodes.filter((node) => node.has_errors || !(node.type in known || node.type === "MarkdownNote")).map((node) => node.type),
    widgets: Object.fromEntries(ours.map((node) => [node.id, (node.widgets ?? []).filter((one) => one.serialize !== false).map((one) => one.value)])),
    sockets: Object.fromEntries(ours.map((node) => [node.id, node.inputs.filter((one) => !one.widget).map((one) => [one.name, one.link != null])])),
    prompt: (await window.app.graphToPrompt()).output
  }
}

/** Wire this output into that socket; false where there is none of the name. */
const wire = ([from, slot, to, name]) => {
  const { graph } = window.app
  const input = graph.getNodeById(to).inputs.findIndex((one) => one.name === name)
  if (input < 0) return false
  graph.getNodeById(from).connect(slot, graph.getNodeById(to), input)
  return true
}

async function main() {
  let errors = []
  const { browser, page } = await open(url, chromium, (error) => errors.push(error), { "Comfy.VueNodes.Enabled": mode === "vue" })
  const report = {}
  for (const file of files) {
    errors = []
    const saved = JSON.parse(fs.readFileSync(file))
    await page.evaluate((workflow) => window.app.loadGraphData(workflow), saved)
    await page.waitForTimeout(1000)
    const seen = await page.evaluate(look)
    const id = (type, number = 0) => saved.nodes.filter((node) => node.type === type)[number]?.id
    const wires = []
    for (const letter of "cd") {
      wires.push([id("GatysExtractStyleGrams"), 0, id("GatysBlendStyles"), `more.style_${letter}`])
    }
    for (const [number, letter] of [[1, "b"], [0, "c"]]) {
      wires.push([id("GatysExtractStyleGrams", number), 0, id("GatysStyleRegion"), `styles.style_${letter}`])
      wires.push([id("InvertMask"), 0, id("GatysStyleRegion"), `masks.mask_${letter}`])
    }
    let grown = null
    for (const one of wires.filter(([, , to]) => to !== undefined)) {
      if (await page.evaluate(wire, one)) grown = true
      await page.waitForTimeout(400) // sockets grow in the next frame
    }
    let again = null
    if (grown) {
      grown = await page.evaluate(look)
      await page.evaluate(() => window.app.loadGraphData(window.app.graph.serialize()))
      await page.waitForTimeout(1000)
      again = await page.evaluate(look)
    }
    report[path.basename(file, ".json")] = { ...seen, errors, grown, again }
  }
  await browser.close()
  return report
}

program(main)
