// Finds the blueprint in the page's own list of nodes, puts it into an empty graph, wires it, sets what it offers, opens it and
// turns the graph into a prompt: for test_page_templates.py.
//   NODE_PATH=<where playwright-core is> node page_blueprint.js URL CHROMIUM classic|vue NAME CHOICES.json
// CHOICES.json is {widget: value}. Writes one JSON object to stdout: {node, inside, prompt, again, errors}, where `node` is what is seen from
// outside, `inside` the nodes' kinds, and `again` the prompt after the workflow was saved and opened.
const fs = require("fs")
const { open, program } = require("./page.js")
const [url, chromium, mode, name, file] = process.argv.slice(2)

const wire = (choices) => {
  const { graph } = window.app
  const [node] = graph._nodes
  const add = (type, values) => {
    const made = window.LiteGraph.createNode(type)
    graph.add(made)
    for (const [widget, value] of Object.entries(values)) made.widgets.find((one) => one.name === widget).value = value
    return made
  }
  add("LoadImage", { image: "content.jpg" }).connect(0, node, 0)
  add("LoadImage", { image: "style.jpg" }).connect(0, node, 1)
  node.connect(0, add("SaveImage", {}), 0)
  // one that shows pictures is a widget too
  const seen = node.widgets.filter((widget) => !widget.name.startsWith("$$")).map((widget) => [widget.label ?? widget.name, widget.value, widget.options?.values ?? null])
  for (const [widget, value] of Object.entries(choices)) node.widgets.find((one) => one.name === widget).value = value
  return { title: node.title, inputs: node.inputs.map((input) => input.name), outputs: node.outputs.map((output) => output.name), widgets: seen }
}

const prompt = async () => (await window.app.graphToPrompt()).output

program(async () => {
  const errors = []
  const { browser, page } = await open(url, chromium, (error) => errors.push(error), { "Comfy.VueNodes.Enabled": mode === "vue" })
  await page.evaluate(() => window.app.graph.clear())
  await page.keyboard.press("n")
  await page.getByPlaceholder(/Search/).first().fill(name)
  await page.getByText(name, { exact: true }).first().click()
  await page.mouse.move(800, 300)
  await page.waitForTimeout(300)
  await page.mouse.click(800, 300)
  await page.waitForFunction(() => window.app.graph._nodes.length)
  await page.waitForTimeout(500)
  const node = await page.evaluate(wire, JSON.parse(fs.readFileSync(file)))
  const first = await page.evaluate(prompt)
  await page.evaluate(() => window.app.canvas.openSubgraph(window.app.graph._nodes[0].subgraph, window.app.graph._nodes[0]))
  await page.waitForTimeout(500)
  const inside = await page.evaluate(() => window.app.canvas.graph._nodes.map((one) => one.type))
  await page.evaluate(() => window.app.canvas.setGraph(window.app.graph))
  await page.evaluate(() => window.app.loadGraphData(window.app.graph.serialize()))
  await page.waitForTimeout(800)
  const again = await page.evaluate(prompt)
  await browser.close()
  return { node, inside, prompt: first, again, errors }
})
