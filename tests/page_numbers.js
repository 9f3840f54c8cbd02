// Types numbers into the float widgets of our nodes in ComfyUI's own page, with real keys and clicks, and says what
// became of them: for test_page.py.
//   NODE_PATH=<where playwright-core is> node page_numbers.js URL CHROMIUM classic|vue NUMBERS.json
// NUMBERS.json is {node type: {widget: [text to type, ...]}}. Writes one JSON object to stdout: {node type: {widget:
// [{typed, sent, shown, left, leftShown, again, againShown, before, up}, ...]}}, where `sent` is what the prompt has, `left` the same
// after the field was entered and left again, `again` after the workflow was saved and opened, `before` and `up` before and after
// one click on the arrow (or the key, which does the same); `shown` are texts.
const fs = require("fs")
const { open, program } = require("./page.js")
const [url, chromium, mode, file] = process.argv.slice(2)

/** A graph of this node alone, where it can be seen; no other node has had its number, by which the page keeps fields. */
const alone = ([type, id]) => {
  const { graph, canvas } = window.app
  graph.clear()
  const node = window.LiteGraph.createNode(type)
  node.id = id
  node.pos = [60, 90]
  graph.add(node)
  canvas.ds.scale = 1
  canvas.ds.offset = [0, 0]
  canvas.setDirty(true, true)
  return node.id
}

const value = async ([id, name]) => (await window.app.graphToPrompt()).output[id].inputs[name]

/** Where the widget is on the screen, and what it shows there. */
const place = ([id, name]) => {
  const { graph, canvas } = window.app
  const node = graph.getNodeById(id)
  const widget = node.widgets.find((one) => one.name === name)
  const { left, top } = canvas.canvas.getBoundingClientRect()
  const { scale, offset } = canvas.ds
  const at = (x, y) => [left + (node.pos[0] + x + offset[0]) * scale, top + (node.pos[1] + y + offset[1]) * scale]
  const y = widget.last_y + (widget.computedHeight ?? 20) / 2
  return { middle: at(node.size[0] / 2, y), up: at(node.size[0] - 20, y), shown: widget._displayValue }
}

const label = ([id, name]) => {
  const widget = window.app.graph.getNodeById(id).widgets.find((one) => one.name === name)
  return widget.label || widget.name
}

/** How numbers are typed, read and stepped where widgets are drawn on the canvas. */
const classic = (page) => ({
  async type(id, name, text) {
    await page.mouse.click(...(await page.evaluate(place, [id, name])).middle)
    const field = page.locator(".graphdialog input")
    await field.waitFor()
    await page.waitForTimeout(100)
    if (text !== null) {
      await page.keyboard.press("Control+A")
      await page.keyboard.type(text)
    }
    await page.keyboard.press("Enter")
    await field.waitFor({ state: "detached" })
  },
  shown: async (id, name) => (await page.evaluate(place, [id, name])).shown,
  async up(id, name) {
    const { up } = await page.evaluate(place, [id, name])
    await page.mouse.click(...up)
    await page.waitForTimeout(400) // two clicks in a row would be a double click
  }
})

/** The same where they are fields of their own, Nodes 2.0. */
const vue = (page) => {
  const field = async (id, name) => {
    const says = `normalize-space(.)="${await page.evaluate(label, [id, name])}"`
    return page.locator(`//*[@data-node-id="${id}"]//*[${says} and not(*[${says}])]/ancestor-or-self::*[count(.//input)=1][1]//input`)
  }
  const enter = async (id, name) => {
    const { x, y, width, height } = await (await field(id, name)).boundingBox()
    await page.mouse.click(x + width / 2, y + height / 2)
    await page.waitForTimeout(100)
  }
  return {
    async type(id, name, text) {
      await enter(id, name)
      if (text !== null) {
        await page.keyboard.press("Control+A")
        await page.keyboard.type(text)
      }
      await page.keyboard.press("Enter")
      await page.keyboard.press("Tab")
    },
    shown: async (id, name) => (await field(id, name)).inputValue(),
    async up(id, name) {
      await enter(id, name)
      await page.keyboard.press("ArrowUp")
      await page.keyboard.press("Tab")
    }
  }
}

async function main() {
  const settings = { "Comfy.VueNodes.Enabled": mode === "vue", "Comfy.NodeBadge.NodeSourceBadgeMode": "None" }
  const { browser, page } = await open(url, chromium, () => {}, settings)
  await page.setViewportSize({ width: 1600, height: 1500 }) // the tallest node
  const hands = { classic, vue }[mode](page)
  const report = {}
  const settle = () => page.waitForTimeout(mode === "vue" ? 250 : 120)
  const look = async (id, name) => [await page.evaluate(value, [id, name]), await hands.shown(id, name)]
  for (const [type, widgets] of Object.entries(JSON.parse(fs.readFileSync(file)))) {
    const id = await page.evaluate(alone, [type, 10 + Object.keys(report).length])
    await page.waitForTimeout(800)
    if (mode === "vue") {
      const more = page.locator(`//*[@data-node-id="${id}"]//button[contains(., "Show advanced")]`)
      if (await more.count()) await more.first().click()
    }
    report[type] = {}
    for (const [name, texts] of Object.entries(widgets)) {
      report[type][name] = []
      for (const typed of texts) {
        await hands.type(id, name, typed)
        await settle()
        const [sent, shown] = await look(id, name)
        await hands.type(id, name, null)
        await settle()
        const [left, leftShown] = await look(id, name)
        report[type][name].push({ typed, sent, shown, left, leftShown })
      }
    }
    await page.evaluate(() => window.app.loadGraphData(window.app.graph.serialize()))
    await page.waitForTimeout(800)
    for (const [name, found] of Object.entries(report[type])) {
      const last = found.at(-1)
      ;[last.again, last.againShown] = await look(id, name)
      await hands.type(id, name, "0.5")
      await settle()
      last.before = await page.evaluate(value, [id, name])
      await hands.up(id, name)
      await settle()
      last.up = await page.evaluate(value, [id, name])
    }
  }
  await browser.close()
  return report
}

program(main)
