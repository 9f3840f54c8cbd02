// Runs a workflow in ComfyUI's own page, loads the page anew, and says which results stand on our nodes: for test_page_results.py.
//   NODE_PATH=<where playwright-core is> node page_results.js URL CHROMIUM classic|vue PICTURES|- WORKFLOW.json
// Writes one JSON object to stdout: {before, after, other, errors}; the first three are {node: [url of a picture, ...]} after the
// run, after the page was loaded anew, and after another workflow was opened in it. With a folder PICTURES also a screenshot.
const fs = require("fs")
const path = require("path")
const { open, program } = require("./page.js")
const [url, chromium, mode, pictures, file] = process.argv.slice(2)

/** The pictures that nodes of this type show of a result: fields of their own, or those of the canvas. */
const shown = (type) =>
  Object.fromEntries(
    window.app.graph._nodes
      .filter((node) => node.type === type)
      .map((node) => {
        const fields = document.querySelectorAll(`[data-node-id="${node.id}"] img`)
        const images = window.app.nodeOutputs?.[node.id] ? [...(fields.length ? fields : node.imgs ?? [])] : []
        return [node.id, images.map((image) => image.src)]
      })
  )

async function main() {
  const errors = []
  const settings = { "Comfy.VueNodes.Enabled": mode === "vue", "Comfy.Workflow.Persist": true }
  const { browser, page } = await open(url, chromium, (error) => errors.push(error), settings)
  const look = async (until) => {
    const filled = (found) => Object.values(found).every((urls) => urls.some((one) => one.includes("/view?")))
    for (let tries = 0; tries < (until ? 60 : 8); tries++) {
      await page.waitForTimeout(500)
      const found = await page.evaluate(shown, "GatysOptimize")
      if (until && filled(found)) return found
    }
    return page.evaluate(shown, "GatysOptimize")
  }
  const workflow = JSON.parse(fs.readFileSync(file))
  await page.evaluate((saved) => window.app.loadGraphData(saved), workflow)
  await page.waitForTimeout(1000)
  await page.evaluate(() => {
    window.ended = new Promise((resolve) => window.app.api.addEventListener("execution_success", resolve))
    return window.app.queuePrompt(0, 1)
  })
  await page.evaluate(() => window.ended)
  await page.waitForTimeout(3000) // until the page has saved the workflow, for itself
  const before = await page.evaluate(() => Object.fromEntries(Object.entries(window.app.nodeOutputs).map(([id, { images }]) => [id, images])))
  await page.reload({ waitUntil: "domcontentloaded" })
  await page.waitForFunction(() => window.app?.graph?._nodes.some((node) => node.type === "GatysOptimize"), null, { timeout: 120000 })
  const after = await look(true)
  if (pictures !== "-") await page.screenshot({ path: path.join(pictures, `results-${mode}.png`) })
  await page.evaluate((saved) => window.app.loadGraphData(saved), { ...workflow, id: "0b0c6d52-6f3c-4a50-a7a4-1f5f1f4f5a10" })
  const other = await look(false)
  await browser.close()
  return { before, after, other, errors }
}

program(main)
