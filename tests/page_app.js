// Opens a workflow that is an app, as a click on its template does, and says what is seen: for test_page_templates.py.
//   NODE_PATH=<where playwright-core is> node page_app.js URL CHROMIUM PICTURES|- WORKFLOW.app.json
// Writes one JSON object to stdout: {text, graph, prompt}: the words in the page, whether the graph can be seen, and the prompt.
const fs = require("fs")
const path = require("path")
const { open, program } = require("./page.js")
const [url, chromium, pictures, file] = process.argv.slice(2)

program(async () => {
  const { browser, page } = await open(url, chromium, () => {})
  const name = path.basename(file, ".json")
  await page.evaluate(([saved, name]) => window.app.loadGraphData(saved, true, true, name), [JSON.parse(fs.readFileSync(file)), name])
  await page.waitForTimeout(2000)
  const text = await page.evaluate(() => document.body.innerText)
  const graph = await page.locator("#graph-canvas").isVisible()
  if (pictures !== "-") await page.screenshot({ path: path.join(pictures, `${name}-app.png`) })
  const { output } = await page.evaluate(() => window.app.graphToPrompt())
  await browser.close()
  return { text, graph, prompt: output }
})
