// Shows on each Kling Takes node what its video will cost, before Run is pressed.
// The prices are in the pack's model table; this file only asks for them and draws the answer.

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

let pricedBy = {}; // node id -> the widgets that decide its price, as the server says

const prices = new Map(); // question -> text, "" while it is being asked

function linked(node, name) {
  return node.inputs?.some((input) => input.name === name && input.link != null) ?? false;
}

function question(node) {
  const query = new URLSearchParams({ node: node.comfyClass });
  const shots = linked(node, "shots");
  for (const name of pricedBy[node.comfyClass]) {
    if (name === "duration" && shots) continue; // the shots decide the length
    if (linked(node, name)) return null; // not known before the graph runs
    const widget = node.widgets?.find((one) => one.name === name);
    if (widget?.value != null) query.set(name, String(widget.value));
  }
  return query.toString();
}

function priceOf(node) {
  const asked = question(node);
  if (asked === null) return "";
  if (!prices.has(asked)) {
    prices.set(asked, "");
    api
      .fetchApi(`/kling_takes/price?${asked}`)
      .then((answer) => (answer.ok ? answer.json() : { text: "" }))
      .then(({ text }) => {
        prices.set(asked, text);
        app.graph?.setDirtyCanvas(true, true);
      })
      .catch(() => prices.delete(asked)); // the server was away: ask again at the next drawing
  }
  return prices.get(asked) ?? "";
}

app.registerExtension({
  name: "KlingTakes.Price",
  async init() {
    const answer = await api.fetchApi("/kling_takes/price").catch(() => null);
    if (answer?.ok) pricedBy = await answer.json();
  },
  nodeCreated(node) {
    if (!(node.comfyClass in pricedBy) || !Array.isArray(node.badges)) return;
    const Badge = window.LGraphBadge;
    if (!Badge) return; // a frontend without badges shows the price only when the node runs
    node.badges.push(
      () => new Badge({ text: priceOf(node), fgColor: "#fff", bgColor: "#3a4f2a", fontSize: 11 }),
    );
  },
});
