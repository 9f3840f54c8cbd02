// Float widgets of this pack keep every digit that is typed into them. The page would cut numbers to the decimals of
// `step`, and 0.000123 to 0; here `step` is only by how much arrows and dragging move, and as many digits are shown as needed.
import { app } from "../../scripts/app.js"

const MOST = 20 // decimals that every browser shows

/** Decimals that a number takes to be read back as it is: 4 for 0.0015, 9 for 1.5e-8. */
function decimals(value) {
  if (!Number.isFinite(value)) return 0
  const [digits, exponent = 0] = String(value).split("e")
  return Math.min(MOST, Math.max(0, (digits.split(".")[1]?.length ?? 0) - exponent))
}

function keepDigits(widget) {
  const { callback, options } = widget
  const least = options.precision ?? 0
  let latest // a widget that a subgraph has in this one's place shares the options, but not the value
  widget.callback = function (value, ...rest) {
    callback?.call(this, value, ...rest)
    this.value = latest = Number(Number(value).toPrecision(15)) // 0.1 and 0.05 add up to 0.15000000000000002
  }
  options.round = 0 // does not round
  Object.assign(options, { minFractionDigits: 0, maxFractionDigits: MOST }) // what Nodes 2.0 of frontend 1.27 go by
  Object.defineProperty(options, "precision", {
    get: () => Math.max(least, decimals(widget.value), decimals(latest)),
    set() {}, // it follows the value
    enumerable: true,
    configurable: true
  })
}

app.registerExtension({
  name: "Gatys.Numbers",
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("Gatys")) return
    const { required, optional } = node.constructor.nodeData.input
    const types = { ...required, ...optional }
    node.widgets?.filter((widget) => types[widget.name]?.[0] === "FLOAT").forEach(keepDigits)
  }
})
