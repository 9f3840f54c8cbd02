// A page that was loaded anew shows the results of this pack's nodes again, as it does not by itself: those of the last run of
// the same workflow that the server remembers, until it is started anew.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"

const MOST = 20 // runs to look through, the last ones

/** What our nodes have shown in runs of a workflow, by the node's id, the last of each. */
function results(history, workflow) {
  const found = new Map()
  for (const { prompt, outputs } of Object.values(history).reverse()) {
    const [, prompt_id, nodes, more] = prompt
    if (more?.extra_pnginfo?.workflow?.id !== workflow) continue
    for (const [node, output] of Object.entries(outputs)) {
      if (nodes[node]?.class_type?.startsWith("Gatys") && output?.images && !found.has(node)) {
        found.set(node, { node, display_node: node, output, prompt_id })
      }
    }
  }
  return found.values()
}

app.registerExtension({
  name: "Gatys.Results",
  async afterConfigureGraph() {
    const { id } = app.rootGraph ?? app.graph
    const reply = await api.fetchApi(`/history?max_items=${MOST}`)
    if (!reply.ok || !id) return
    for (const detail of results(await reply.json(), id)) {
      if (!app.nodeOutputs?.[detail.node]) api.dispatchEvent(new CustomEvent("executed", { detail }))
    }
  }
})
