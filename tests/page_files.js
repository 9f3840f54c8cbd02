// Says what the tooltip of the list in Load VGG19 tells in ComfyUI's own page, for test_page.py.
//   NODE_PATH=<where playwright-core is> node page_files.js URL CHROMIUM LANGUAGE
// Writes one JSON object to stdout: {tooltip, shown, value, errors}, of which `shown` is what is seen with the mouse on the widget.
const { open, program } = require("./page.js")
const [url, chromium, language] = process.argv.slice(2)

const alone = () => {
  const { graph, canvas } = window.app
  graph.clear()
  const node = window.LiteGraph.createNode("GatysLoadVGG19")
  node.pos = [60, 90]
  graph.add(node)
  canvas.ds.scale = 1
  canvas.ds.offset = [0, 0]
  canvas.setDirty(true, true)
}

const look = () => {
  const { graph, canvas } = window.app
  const node = graph._nodes[0]
  const widget = node.widgets.find((one) => one.name === "weights")
  const { left, top } = canvas.canvas.getBoundingClientRect()
  const y = widget.last_y + 10
  return { tooltip: widget.tooltip, value: widget.value, at: [left + node.pos[0] + node.size[0] / 2, top + node.pos[1] + y] }
}

program(async () => {
  const errors = []
  const { browser, page } = await open(url, chromium, (error) => errors.push(error), { "Comfy.Locale": language })
  await page.evaluate(alone)
  await page.waitForTimeout(700)
  const { at, ...seen } = await page.evaluate(look)
  await page.mouse.move(at[0] - 5, at[1])
  await page.mouse.move(...at)
  const tip = page.locator(".node-tooltip")
  await tip.waitFor({ timeout: 20000 })
  const shown = await tip.innerText()
  await browser.close()
  return { ...seen, shown, errors }
})
