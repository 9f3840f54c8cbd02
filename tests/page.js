// Opens workflows in ComfyUI's own page, in headless Chromium, as a person would, and says what it saw: for test_page.py.
//   NODE_PATH=<where playwright-core is> node page.js URL CHROMIUM PICTURES|- WORKFLOW.json ...
// Writes one JSON object to stdout: {frontend, start: [error], workflows: {name: {missing, widgets, errors, prompt}}};
// with a folder PICTURES also a screenshot of each.
const { chromium } = require("playwright-core")
const fs = require("fs")
const path = require("path")
const NOTES = ["Note", "MarkdownNote", "Reroute"]

const fit = () => {
  const { graph, canvas } = window.app
  const nodes = graph._nodes
  const edge = (pick, axis, end) => pick(...nodes.map((node) => node.pos[axis] + (end ? node.size[axis] : 0)))
  const [left, top] = [edge(Math.min, 0), edge(Math.min, 1) - 40]
  const [width, height] = [edge(Math.max, 0, true) - left, edge(Math.max, 1, true) - top]
  const scale = Math.min((innerWidth - 240) / width, (innerHeight - 140) / height)
  canvas.ds.scale = scale
  canvas.ds.offset = [90 / scale - left, 90 / scale - top]
  canvas.setDirty(true, true)
}

const look = (notes) => ({
  missing: window.app.graph._nodes
    .filter((node) => node.has_errors || !(notes.includes(node.type) || node.type in window.LiteGraph.registered_node_types))
    .map((node) => node.type),
  widgets: Object.fromEntries(
    window.app.graph._nodes.map((node) => [
      node.id,
      (node.widgets ?? []).filter((widget) => widget.serialize !== false).map((widget) => [widget.name, widget.value])
    ])
  )
})

/** The page in a new browser, once our nodes are there; `heard` is called with each error. */
async function open(url, executablePath, heard, more = {}) {
  const settings = {
    "Comfy.TutorialCompleted": true,
    "Comfy.Workflow.Persist": false,
    "Comfy.Minimap.Visible": false,
    "Comfy.Graph.CanvasInfo": false,
    "Comfy.Locale": "en", // the server keeps what another page has set
    ...more
  }
  await fetch(`${url}/api/settings`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(settings) })
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"] })
  const page = await browser.newPage({ viewport: { width: 1600, height: 950 } })
  page.on("pageerror", (error) => heard(`${error.message}\n${error.stack}`))
  page.on("console", (message) => message.type() === "error" && heard(`${message.text()} (${message.location().url})`))
  await page.goto(url, { waitUntil: "domcontentloaded" })
  const ready = () => window.app?.graph && Object.keys(window.LiteGraph?.registered_node_types ?? {}).some((type) => type === "GatysOptimize")
  await page.waitForFunction(ready, null, { timeout: 180000 })
  await page.waitForTimeout(2000)
  return { browser, page }
}

async function main() {
  const [url, executablePath, pictures, ...files] = process.argv.slice(2)
  let errors = []
  const { browser, page } = await open(url, executablePath, (error) => errors.push(error))
  const report = { frontend: await page.evaluate(() => window.__COMFYUI_FRONTEND_VERSION__), start: errors, workflows: {} }
  for (const file of files) {
    errors = []
    await page.evaluate((saved) => window.app.loadGraphData(saved), JSON.parse(fs.readFileSync(file)))
    await page.waitForTimeout(700)
    const name = path.basename(file, ".json")
    if (pictures !== "-") {
      await page.evaluate(fit)
      await page.waitForTimeout(700)
      await page.screenshot({ path: path.join(pictures, `${name}.png`) })
    }
    const seen = await page.evaluate(look, NOTES)
    const { output } = await page.evaluate(() => window.app.graphToPrompt())
    report.workflows[name] = { ...seen, errors, prompt: output }
  }
  await browser.close()
  return report
}

/** Run `work` as a program that writes what it returns to stdout. */
function program(work) {
  const write = (report) => new Promise((written) => process.stdout.write(JSON.stringify(report), written)) // a pipe takes it in pieces
  work().then(write).then(() => process.exit(0), (error) => (console.error(error), process.exit(2)))
}

if (require.main === module) program(main)
module.exports = { open, program }
