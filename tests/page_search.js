// Says what ComfyUI's own search for nodes finds, for test_page.py.
//   NODE_PATH=<where playwright-core is> node page_search.js URL CHROMIUM WORD ...
// Writes one JSON object to stdout: {frontend, languages, found: {word: [id of a node, best first]}}.
const { open, program } = require("./page.js")
const [url, chromium, ...words] = process.argv.slice(2)

/** Asks the page's own store, as its search box does. */
const search = (words) => {
  const { $pinia } = document.querySelector("#vue-app").__vue_app__.config.globalProperties
  const store = (name) => $pinia._s.get(name)
  const { options } = store("setting").settingsById["Comfy.Locale"]
  const found = words.map((word) => [word, store("nodeDef").nodeSearchService.searchNode(word).map((node) => node.name)])
  return {
    frontend: window.__COMFYUI_FRONTEND_VERSION__,
    languages: (typeof options === "function" ? options() : options).map((option) => option.value ?? option),
    found: Object.fromEntries(found)
  }
}

program(async () => {
  const { browser, page } = await open(url, chromium, () => {})
  const seen = await page.evaluate(search, words)
  await browser.close()
  return seen
})
