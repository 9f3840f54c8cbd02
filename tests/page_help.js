// Says what ComfyUI's own page shows as the help of a node, for test_page.py.
//   NODE_PATH=<where playwright-core is> node page_help.js URL CHROMIUM LANGUAGE NODE
// Writes one JSON object to stdout: {asked: [path], title, text, broken: [path of a picture]}.
const { open, program } = require("./page.js")
const [url, chromium, language, type] = process.argv.slice(2)

const select = (type) => {
  const { graph, canvas } = window.app
  graph.clear()
  const node = window.LiteGraph.createNode(type)
  node.pos = [300, 400]
  graph.add(node)
  canvas.ds.scale = 1
  canvas.ds.offset = [0, 0]
  canvas.selectNode(node)
  canvas.setDirty(true, true)
}

const look = () => {
  const shown = document.querySelector(".node-help-content h1").parentElement
  const pictures = [...shown.querySelectorAll("img")].filter((one) => !(one.complete && one.naturalWidth))
  return { title: shown.querySelector("h1").innerText, text: shown.innerText, broken: pictures.map((one) => one.src) }
}

program(async () => {
  const { browser, page } = await open(url, chromium, () => {}, { "Comfy.Locale": language })
  const asked = []
  page.on("request", (request) => asked.push(new URL(request.url()).pathname))
  await page.evaluate(select, type)
  await page.waitForTimeout(1000)
  await page.locator("[data-testid='info-button']").first().evaluate((button) => button.click()) // in 1.27.10 it may lie below the menu
  await page.locator(".node-help-content h1").first().waitFor({ timeout: 20000 })
  await page.waitForTimeout(1500)
  const seen = await page.evaluate(look)
  await browser.close()
  return { asked: asked.filter((path) => path.endsWith(".md")), ...seen }
})
