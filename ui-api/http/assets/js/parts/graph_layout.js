/** Where the nodes of a graph stand: layers from left to right, few crossings, long edges led around nodes. */

export const NODE = { width: 176, height: 46, gapX: 46, gapY: 14, bend: 12 };
const BANDS = [["steps", ""], ["on_failure", "On failure"], ["finally", "Finally"]];

/**
 * @typedef {{id: string, ix: number, layer: number, section: string}} GraphNode
 * @typedef {{from: string, to: string}} GraphEdge
 * @typedef {{nodes: {node: any, x: number, y: number}[], edges: {from: string, to: string, path: string}[], bands: {text: string, y: number}[], width: number, height: number}} Layout
 */

/**
 * @param {GraphNode[]} nodes
 * @param {GraphEdge[]} edges
 * @returns {Layout}
 */
export function layout(nodes, edges) {
  const out = { nodes: [], edges: [], bands: [], width: 0, height: 0 };
  let top = 0;
  for (const [section, text] of BANDS) {
    const part = nodes.filter((node) => (node.section ?? "steps") === section);
    if (!part.length) continue;
    if (text) {
      top += out.nodes.length ? 30 : 0;
      out.bands.push({ text, y: top + 10 });
      top += 20;
    }
    const ids = new Set(part.map((node) => node.id));
    const placed = placeBand(part, edges.filter((e) => ids.has(e.from) && ids.has(e.to)), top);
    out.nodes.push(...placed.nodes);
    out.edges.push(...placed.edges);
    out.width = Math.max(out.width, placed.width);
    top = placed.bottom;
  }
  out.height = top;
  return out;
}

function placeBand(nodes, edges, top) {
  const least = Math.min(...nodes.map((node) => node.layer ?? 0));
  const slots = new Map();
  const layers = [];
  const slot = (id, layer, node) => {
    const made = { id, layer, node, before: [], after: [], y: 0, tall: node ? NODE.height : NODE.bend };
    slots.set(id, made);
    (layers[layer] ??= []).push(made);
    return made;
  };
  for (const node of [...nodes].sort((a, b) => a.ix - b.ix)) slot(node.id, (node.layer ?? 0) - least, node);
  for (let i = 0; i < layers.length; i++) layers[i] ??= [];
  const chains = edges.map((edge) => chain(edge, slots, slot)).filter(Boolean);
  order(layers);
  const height = stack(layers, top);
  const x = (layer) => layer * (NODE.width + NODE.gapX);
  return {
    nodes: [...slots.values()].filter((p) => p.node).map((p) => ({ node: p.node, x: x(p.layer), y: p.y })),
    edges: chains.map((list) => ({ from: list[0].id, to: list[list.length - 1].id, path: curve(list, x) })),
    width: x(layers.length) - NODE.gapX,
    bottom: top + height,
  };
}

/** An edge over several layers gets a bend in each, so that it is ordered and placed like a node. */
function chain({ from, to }, slots, slot) {
  const a = slots.get(from);
  const b = slots.get(to);
  if (!a || !b || a.layer >= b.layer) return null;
  const list = [a];
  for (let layer = a.layer + 1; layer < b.layer; layer++) list.push(slot(`${from}>${to}@${layer}`, layer, null));
  list.push(b);
  for (let i = 1; i < list.length; i++) {
    list[i - 1].after.push(list[i]);
    list[i].before.push(list[i - 1]);
  }
  return list;
}

/** Sweeps that put each node beside the middle of its neighbours. */
function order(layers) {
  const number = () => layers.forEach((layer) => layer.forEach((p, i) => { p.at = i; }));
  const mean = (list, own) => (list.length ? list.reduce((sum, p) => sum + p.at, 0) / list.length : own);
  number();
  for (let sweep = 0; sweep < 6; sweep++) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) {
      for (const p of layer) p.want = mean(down ? p.before : p.after, p.at);
      layer.sort((p, q) => p.want - q.want || p.at - q.at);
      layer.forEach((p, i) => { p.at = i; });
    }
  }
}

/** Heights: each layer is stacked, then drawn towards its neighbours without changing the order. */
function stack(layers, top) {
  for (const layer of layers) {
    let y = 0;
    for (const p of layer) { p.y = y; y += p.tall + NODE.gapY; }
  }
  for (let sweep = 0; sweep < 8; sweep++) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) settle(layer, down);
  }
  const all = layers.flat();
  const least = Math.min(...all.map((p) => p.y));
  for (const p of all) p.y += top - least;
  return Math.max(...all.map((p) => p.y + p.tall)) - top;
}

function settle(layer, down) {
  const middle = (p) => p.y + p.tall / 2;
  const want = layer.map((p) => {
    const near = down ? p.before : p.after;
    return near.length ? near.reduce((sum, q) => sum + middle(q), 0) / near.length - p.tall / 2 : p.y;
  });
  // Blocks of nodes that would overlap move together to the mean of what they want.
  const blocks = [];
  layer.forEach((p, i) => {
    let block = { from: i, to: i, sum: want[i], n: 1, y: want[i], tall: p.tall };
    while (blocks.length && blocks[blocks.length - 1].y + blocks[blocks.length - 1].tall + NODE.gapY > block.y) {
      const last = blocks.pop();
      const offset = last.tall + NODE.gapY;
      const sum = last.sum + block.sum - block.n * offset;
      const n = last.n + block.n;
      block = { from: last.from, to: block.to, sum, n, y: sum / n, tall: offset + block.tall };
    }
    blocks.push(block);
  });
  for (const block of blocks) {
    let y = block.y;
    for (let i = block.from; i <= block.to; i++) { layer[i].y = y; y += layer[i].tall + NODE.gapY; }
  }
}

function curve(list, x) {
  const r = (n) => Math.round(n * 10) / 10;
  const out = [];
  list.forEach((p, i) => {
    const y = p.y + p.tall / 2;
    const left = x(p.layer);
    const right = left + NODE.width;
    if (i === 0) out.push(`M${r(right)} ${r(y)}`);
    else {
      const before = list[i - 1];
      const from = x(before.layer) + NODE.width;
      const mid = (from + left) / 2;
      out.push(`C${r(mid)} ${r(before.y + before.tall / 2)} ${r(mid)} ${r(y)} ${r(p.node ? left - 5 : left)} ${r(y)}`);
      if (!p.node) out.push(`H${r(right)}`);
    }
  });
  return out.join("");
}
