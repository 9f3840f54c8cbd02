// Measures where ComfyUI's own page draws the nodes and groups of workflows, for test_page_templates.py.
//   NODE_PATH=<where playwright-core is> node page_boxes.js URL CHROMIUM classic|vue PICTURES|- WORKFLOW.json ...
// Writes one JSON object to stdout: {name: {nodes: [{id, type, box}], groups: [{title, box}], links: [[source, target]]}}, where a box is
// [left, top, width, height] in the graph's own unit, titles included, as it is drawn and not as it was saved.
const fs = require("fs")
const path = require("path")
const { open, program } = require("./page.js")
const SCALE = 0.75 // where less is shown, pages leave widgets out
const [url, chromium, mode, pictures, ...files] = process.argv.slice(2)

/** Where the groups are, [left, top, right, bottom]. */
const bounds = () => {
  const boxes = window.app.graph._groups.map((group) => [...group.pos, ...group.size])
  const ends = (axis) => boxes.map((box) => box[axis] + box[axis + 2])
  return [Math.min(...boxes.map(([x]) => x)), 0, Math.max(...ends(0)), Math.max(...ends(1))]
}

/** All of the graph into sight, for what is out of sight may not be drawn. */
const fit = ([scale, left]) => {
  const { canvas } = window.app
  canvas.ds.scale = scale
  canvas.ds.offset = [80 / scale - left, 80 / scale]
  canvas.setDirty(true, true)
}

const boxes = () => {
  const { graph, canvas } = window.app
  const { left, top } = canvas.canvas.getBoundingClientRect()
  const { scale, offset } = canvas.ds
  const drawn = (node) => {
    const element = document.querySelector(`[data-node-id="${node.id}"]`)
    if (!element) return [...node.getBounding()]
    const { x, y, width, height } = element.getBoundingClientRect()
    return [(x - left) / scale - offset[0], (y - top) / scale - offset[1], width / scale, height / scale]
  }
  return {
    elements: document.querySelectorAll("[data-node-id]").length,
    nodes: graph._nodes.map((node) => ({ id: node.id, type: node.type, box: drawn(node) })),
    groups: graph._groups.map(({ title, pos, size }) => ({ title, box: [...pos, ...size] })),
    links: [...(graph.links.values?.() ?? Object.values(graph.links))].map((link) => [link.origin_id, link.target_id])
  }
}

program(async () => {
  const { browser, page } = await open(url, chromium, () => {}, { "Comfy.VueNodes.Enabled": mode === "vue" })
  const report = {}
  for (const file of files) {
    const workflow = JSON.parse(fs.readFileSync(file))
    delete workflow.extra.linearMode // an app shows no graph
    await page.evaluate((saved) => window.app.loadGraphData(saved), workflow)
    await page.waitForTimeout(400)
    const [left, , right, bottom] = await page.evaluate(bounds)
    await page.setViewportSize({ width: Math.ceil((right - left) * SCALE) + 160, height: Math.ceil(bottom * SCALE) + 160 })
    await page.evaluate(fit, [SCALE, left])
    await page.waitForTimeout(900) // pictures are loaded, and nodes grow around them
    const name = path.basename(file, ".json")
    report[name] = await page.evaluate(boxes)
    if (pictures !== "-") await page.screenshot({ path: path.join(pictures, `${name}-${mode}.png`) })
  }
  await browser.close()
  return report
})
