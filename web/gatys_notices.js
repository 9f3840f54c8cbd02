// What a node has to say beside its result and nobody must miss: a notice that stays until it is closed.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"

app.registerExtension({
  name: "Gatys.Notices",
  setup() {
    api.addEventListener("gatys.notice", ({ detail }) => {
      // without `life` it does not go away by itself
      app.extensionManager.toast.add({ severity: "warn", summary: "Gatys Style Transfer", detail: detail.text })
    })
  }
})
