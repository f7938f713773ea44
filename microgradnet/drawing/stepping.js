// Knows the page: the drawing, the steps and which of them is shown, and what keys, buttons and fields do.

const find = id => document.getElementById(id);

// The drawing, once: frames, edges, nodes.

const svg = document.querySelector("#graph svg");
const NS = "http://www.w3.org/2000/svg";

function make(parent, tag, attributes = {}, text = null) {
  const element = parent.appendChild(document.createElementNS(NS, tag));
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== null) element.textContent = text;
  return element;
}

const [width, height] = scene.size, tight = scene.frames.length > 0;
svg.classList.toggle("tight", tight);
svg.setAttribute("viewBox", `-6 -6 ${width + 12} ${height + 12}`);
for (const [side, length] of [["width", width + 12], ["height", height + 12]]) {
  svg.setAttribute(side, Math.round(1.1 * length));
  svg.style.setProperty(`max-${side}`, `${Math.round(2 * length)}px`);
}

for (const frame of scene.frames) {
  const [x, y, w, h] = frame.box, group = make(svg, "g", {class: "frame"});
  make(group, "rect", {x, y, width: w, height: h, rx: 10});
  make(group, "text", {x: x + 12, y: y + 16}, frame.text);
}

function arrow([bx, by], [tx, ty]) {
  const [nx, ny] = [0.4 * (ty - by), 0.4 * (bx - tx)];
  return `${tx},${ty} ${bx + nx},${by + ny} ${bx - nx},${by - ny}`;
}

const edges = scene.edges.map(edge => {
  const group = make(svg, "g", {class: "edge"});
  const [start, ...rest] = edge.path, leave = edge.path.find(([x, y]) => x !== start[0] || y !== start[1]);
  make(group, "path", {d: `M${start}C${rest.join(" ")}`});
  make(group, "polygon", {class: "head", points: arrow(edge.path.at(-1), edge.tip)});
  const length = Math.hypot(leave[0] - start[0], leave[1] - start[1]);
  const base = [0, 1].map(i => start[i] + 8 * (leave[i] - start[i]) / length);
  make(group, "polygon", {class: "tail", points: arrow(base, start)});
  return {group, title: make(group, "title"), tail: N[edge.head].parents[edge.place]};
});

const LINE = 14;  // from line to line of a node's text

const boxes = N.map((node, i) => {
  const group = make(svg, "g"), [x, y] = node.at, [w, h] = node.size;
  const round = node.kind === "input" || node.kind === "variable";
  if (round) {
    make(group, "ellipse", {class: "shape", cx: x, cy: y, rx: w / 2, ry: h / 2});
    if (node.result) make(group, "ellipse", {class: "shape", cx: x, cy: y, rx: w / 2 - 4, ry: h / 2 - 4});
  } else {
    const box = by => ({class: "shape", x: x - w / 2 + by, y: y - h / 2 + by, width: w - 2 * by, height: h - 2 * by,
                        rx: node.kind === "parameter" ? 9 : 0});
    make(group, "rect", box(0));
    if (node.result) make(group, "rect", box(4));
  }
  const lines = [["op", node.op], ["name", node.name], ["data", "?"], ["grad", node.grad]].filter(([, text]) => text);
  const texts = Object.fromEntries(lines.map(([line, text], k) =>
    [line, make(group, "text", {class: line, x, y: y + 4 + LINE * (k - (lines.length - 1) / 2)}, text)]));
  const room = k => {  // of a line, within the frames
    const away = (LINE * Math.abs(k - (lines.length - 1) / 2) + 3) / (h / 2), inner = w - (node.result ? 12 : 4);
    return round ? inner * Math.sqrt(Math.max(0.1, 1 - away * away)) : inner;
  };
  if (!node.op) group.addEventListener("click", () => choose(i));
  return {group, texts, title: make(group, "title"), room: Object.fromEntries(lines.map(([line], k) => [line, room(k)]))};
});

scene.edges.forEach((edge, e) => {  // above the nodes, for a narrow gap
  if (!edge.label) return;
  const [x, y] = edge.label, label = make(svg, "g");
  make(label, "title");
  edges[e].label = label;
  edges[e].text = make(label, "text", {x, y: y + (tight ? 3.5 : 1.5), lengthAdjust: "spacingAndGlyphs"});
});

const ruler = document.createElement("canvas").getContext("2d");

const fonts = {op: "12px", name: "12px", data: "bold 14px", grad: "13px"};  // as in the page's style

function widthOf(text, font) {  // without a new layout of the page
  ruler.font = `${font} Helvetica, Arial, sans-serif`;
  return ruler.measureText(text).width;
}

function write(box, line, text) {
  const element = box.texts[line], room = box.room[line];
  if (!element || element.textContent === text) return;
  element.textContent = text;
  element.removeAttribute("textLength");
  if (text.length > 5 && widthOf(text, fonts[line]) > room) {
    element.setAttribute("textLength", room);
    element.setAttribute("lengthAdjust", "spacingAndGlyphs");
  }
}

// The steps: of a node each, or of a layer each. A step is shown from nothing, so that any step can follow any other.

let steps, current = 0, timer = null, byLayer = false, inForwardMode = false;
const single = order.map(i => ({nodes: [i], layer: 0, forward: "", backward: ""}));

function plan() {
  const groups = byLayer ? scene.groups : single;
  const row = (kind, some) => some.map((group, k) => ({...group, kind, phase: `${kind} ${k + 1} of ${groups.length}` +
                                                       (group.layer ? `, layer ${group.layer}` : "")}));
  steps = [{kind: "start", phase: "start", nodes: []}];
  const stop = failure ? groups.findIndex(group => group.nodes.includes(failure.node)) : groups.length;
  steps.push(...row("forward", groups).slice(0, stop));
  if (failure) steps.push({kind: "stop", phase: "stopped", nodes: [failure.node], text: failure.text});
  else if (undefinedAt)
    steps.push({kind: "stop", phase: "no derivative", nodes: [undefinedAt.node],
                text: `There is no ${inForwardMode ? "forward mode" : "backward pass"}: ${undefinedAt.text}`});
  else if (inForwardMode) steps.push({kind: "seed", phase: "forward mode, start", nodes: [chosen]}, ...row("forward mode", groups));
  else steps.push({kind: "seed", phase: "backward, start", nodes: [root]}, ...row("backward", groups.toReversed()));
  find("slider").max = steps.length - 1;
}

function show(step) {
  const moved = current;
  current = Math.max(0, Math.min(steps.length - 1, step));
  const known = new Set(leaves), done = new Set(), now = steps[current];
  let sweeping = false;
  for (const {kind, nodes} of steps.slice(0, current + 1)) {
    if (kind === "forward") nodes.forEach(i => known.add(i));
    if (kind === "seed") sweeping = true;
    if (kind === "backward" || kind === "forward mode") nodes.forEach(i => done.add(i));
  }
  const sums = N.map(() => undefined);
  if (sweeping && !inForwardMode) {
    sums[root] = 1;
    for (const i of order.toReversed())
      if (done.has(i)) for (const {parent, term} of flows[i]) sums[parent] = (sums[parent] ?? 0) + term;
  }
  const way = {forward: "forward", backward: "backward", "forward mode": "moving", stop: "backward",
               seed: inForwardMode ? "moving" : "backward"}[now.kind];
  const lit = new Set(now.nodes), backwards = now.kind === "backward", moving = now.kind === "forward mode";
  const reached = new Set(backwards ? now.nodes.flatMap(i => flows[i].map(flow => flow.parent)) : []);
  boxes.forEach((box, i) => {
    const node = N[i], there = known.has(i);
    const tangent = sweeping && inForwardMode && (done.has(i) || !node.op) ? tangents[i] ?? 0 : undefined;
    write(box, "data", there ? number(i) : "?");
    write(box, "grad", tangent !== undefined ? `→ ${short(tangent)}` : sums[i] !== undefined ? `${node.grad === "δ" ? "δ" : "∂"} ${short(sums[i])}` : "");
    box.texts.grad?.setAttribute("class", tangent === undefined ? "grad" : "tangent");
    box.title.textContent = [
      node.label || node.name || node.op, there ? `data = ${exact(data[i])}` : "not computed yet",
      ...(sums[i] !== undefined ? [`grad = ${exact(sums[i])}`] : []),
      ...(tangent !== undefined ? [`tangent = ${exact(tangent)}`] : []),
      ...(node.fixed ? ["cannot be changed here"] : []),
    ].join("\n");
    box.group.setAttribute("class", ["node", node.kind, node.result && "result", !node.op && "leaf", !there && "waiting",
      i === chosen && "chosen", lit.has(i) ? way : reached.has(i) && "reached"].filter(Boolean).join(" "));
  });
  edges.forEach(({group, label, text, title, tail}, e) => {
    const {head, place} = scene.edges[e], there = known.has(head) && partials[head].length;
    const flow = lit.has(head) && (backwards ? flows : moving ? movements : null)?.[head].find(f => f.place === place);
    const on = lit.has(head) && (now.kind === "forward" || flow);
    group.setAttribute("class", "edge" + (on ? ` ${way}` : ""));
    title.textContent = there ? slope(head, place, exact) : "";
    if (!label) return;
    label.firstElementChild.textContent = title.textContent;
    label.setAttribute("class", "edge" + (on ? ` ${way}` : ""));
    const arrow = tight ? "" : backwards ? (scene.across ? "← " : "↑ ") : scene.across ? "→ " : "↓ ";
    text.textContent = flow ? arrow + short(flow.term) : there ? short(partials[head][place]) : "";
    text.toggleAttribute("textLength", false);
    if (tight && text.textContent.length > 5 && widthOf(text.textContent, "11px") > 42) text.setAttribute("textLength", 42);
  });
  find("phase").textContent = now.phase;
  const [sentence, lines] = story(now);
  find("story").firstElementChild.textContent = sentence;
  find("story").firstElementChild.className = byLayer && now.layer ? "lecture" : "";
  find("story").lastElementChild.className = lines.length > 4 ? "many" : "";
  find("story").lastElementChild.replaceChildren(...lines.map(line =>
    Object.assign(document.createElement("li"), {textContent: line, className: now.kind === "start" ? "note" : ""})));
  find("counter").textContent = countedSweeps(multiplied(done));
  draw(known.has(root));
  find("slider").value = current;
  for (const id of ["first", "back"]) find(id).disabled = current === 0;
  for (const id of ["on", "last"]) find(id).disabled = current === steps.length - 1;
  if (now.nodes.length && moved !== current) follow(boxes[now.nodes[0]].group);
  if (moved !== current)
    try { history.replaceState(null, "", "#" + current); } catch { /* a page inside a notebook has no address */ }
}

function follow(element) {
  const frame = find("graph"), a = element.getBoundingClientRect(), b = frame.getBoundingClientRect();
  if (a.left < b.left || a.right > b.right) frame.scrollLeft += (a.left + a.right - b.left - b.right) / 2;
  if (a.top < b.top || a.bottom > b.bottom) frame.scrollTop += (a.top + a.bottom - b.top - b.bottom) / 2;
}

function play(playing) {
  clearInterval(timer);
  timer = playing ? setInterval(() => current < steps.length - 1 ? show(current + 1) : play(false), 1200) : null;
  find("play").textContent = playing ? "Pause" : "Play";
  if (playing) show(current === steps.length - 1 ? 0 : current + 1);
}

function fit(fitting) {
  find("graph").classList.toggle("fit", fitting);
  find("fit").setAttribute("aria-pressed", fitting);
}

// Leaves.

leaves.forEach(i => {
  const option = document.createElement("option");
  option.value = i;
  find("leaf").append(option);
});

function nameLeaves() {
  for (const option of find("leaf").options) {
    const i = Number(option.value), {name, kind, fixed, grad} = N[i];
    option.textContent = (name || `${kind} ${i}`) + (fixed ? " (fixed)" : grad && !trained.has(i) ? " (held)" : "");
  }
  find("hold").setAttribute("aria-pressed", !trained.has(chosen));
  find("hold").disabled = !N[chosen].grad;
  for (const id of ["update", "run"]) find(id).disabled = Boolean(refusal());
}

function hold() {  // or release: whether updates leave the chosen leaf alone
  if (!trained.delete(chosen)) trained.add(chosen);
  stop();
  beginDescent();
  nameLeaves();
  say("");
}

function choose(leaf) {
  chosen = leaf;
  find("leaf").value = leaf;
  const x = data[leaf], half = Math.max(1, 2 * Math.abs(x));
  find("value").min = x - half;
  find("value").max = x + half;
  for (const id of ["number", "value"]) find(id).disabled = Boolean(N[leaf].fixed);
  nameLeaves();
  forwardMode();
  renew();
}

function renew(step = current) {  // once a number is another
  const x = data[chosen], value = find("value");
  if (document.activeElement !== find("number")) find("number").value = plain(x) == x ? plain(x) : String(x);
  if (x < value.min || x > value.max) [value.min, value.max] = [x - 2 * Math.abs(x), x + 2 * Math.abs(x)];
  value.value = x;
  plan();
  show(step);
}

const typed = id => {  // the number in a field, with a decimal point or a decimal comma
  const text = find(id).value.trim().replace("−", "-").replace(",", ".");
  return text ? Number(text) : NaN;
};

function set(leaf, x) {
  find("number").setAttribute("aria-invalid", !Number.isFinite(x));
  if (!Number.isFinite(x) || N[leaf].fixed) return;
  data[leaf] = x;
  say("");
  compute();
  beginDescent();
  renew(current === 0 ? Infinity : current);  // at the start there is nothing to follow
}

function nudge(up, small) {
  find("number").blur();
  set(chosen, Number((data[chosen] + (up ? 1 : -1) * (small ? 0.01 : 0.1)).toPrecision(12)));
}

// Gradient descent.

let runner = null;
const say = text => { find("message").textContent = text || refusal(); };

function update() {
  const dt = typed("delta");
  find("delta").setAttribute("aria-invalid", !(dt > 0));
  const why = !(dt > 0) ? "Give a Δt above 0." : failure || undefinedAt ? (failure ?? undefinedAt).text
    : Number.isFinite(data[root]) ? refusal() : `${N[root].name || "The result"} is ${short(data[root])}: Reset, or change a leaf.`;
  if (why) return stop(why);
  descend(dt);
  const [text, isEnd] = verdict(dt);
  if (isEnd) stop(text);
  else say(text);
  renew(Infinity);
}

function stop(why = "") {
  clearInterval(runner);
  runner = null;
  descent.idle = 0;
  find("run").textContent = "Run";
  if (why) say(why);
}

function run() {
  if (runner !== null) return stop();
  find("run").textContent = "Stop";
  runner = setInterval(update, 60);
  update();
}

function clipped(text, room, font) {
  if (widthOf(text, font) <= room) return text;
  let letters = [...text];
  while (letters.length && widthOf(letters.join("") + "…", font) > room) letters.pop();
  return letters.join("") + "…";
}

function draw(known) {  // the curve of the result over the updates; known: whether the step shown has computed it
  const curve = find("curve"), drawn = costs.filter(Number.isFinite), k = costs.length - 1;
  const least = Math.min(...drawn), high = Math.max(...drawn), logarithmic = least > 0 && high > 1000 * least;
  const low = logarithmic ? least : Math.min(0, least), shape = logarithmic ? Math.log : x => x;
  const scale = high > low ? 74 / (shape(high) - shape(low)) : 0;
  const points = costs.map((c, j) => [62 + 170 * j / Math.max(k, 1), c]).filter(([, c]) => Number.isFinite(c))
                      .map(([x, c]) => `${x.toFixed(1)},${(100 - scale * (shape(c) - shape(low))).toFixed(1)}`);
  curve.replaceChildren();
  make(curve, "path", {d: "M60,22V102H236"});
  make(curve, "polyline", {points: points.join(" ")});
  const value = ` = ${known ? short(data[root]) : "?"}`;
  make(curve, "text", {x: 2, y: 12}, clipped(N[root].name || "result", 232 - widthOf(value, "12px"), "12px") + value);
  if (k > 0 && scale) [[high, 30], [low, 104]].forEach(([x, y]) => make(curve, "text", {x: 56, y, class: "bound"}, short(x)));
  make(curve, "text", {x: 62, y: 118}, `${Math.max(k, 0)} update${k === 1 ? "" : "s"}` + (logarithmic ? ", scale logarithmic" : ""));
}

function reset() {
  data = [...recorded];
  compute();
  costs = failure ? [] : [data[root]];
  beginDescent();
  stop();
  say("");
  swept.backward = false;
  swept.leaves.clear();
  choose(chosen);
}

// Controls.

function toggle(id, on) {
  find(id).setAttribute("aria-pressed", on);
  return on;
}

function change(make) {  // how it is played: the same part of the walk stays on the screen
  const part = steps[current].kind, end = current === steps.length - 1;
  make();
  plan();
  const first = steps.findIndex(({kind}) => kind === part);
  show(end ? Infinity : first < 0 ? steps.findIndex(({kind}) => kind === "seed") : first);
}

const other = by => leaves[(leaves.indexOf(chosen) + by + leaves.length) % leaves.length];
const actions = {
  first: () => show(0), back: () => show(current - 1), on: () => show(current + 1), last: () => show(Infinity),
  play: () => play(timer === null), fit: () => fit(!find("graph").classList.contains("fit")),
  layers: () => change(() => { byLayer = toggle("layers", !byLayer); }),
  mode: () => change(() => { inForwardMode = toggle("mode", !inForwardMode); }),
  hold, reset, update: () => { stop(); update(); }, run,
};
const keys = {Home: "first", ArrowLeft: "back", ArrowRight: "on", End: "last", " ": "play", f: "fit", l: "layers",
              m: "mode", h: "hold", 0: "reset", u: "update", r: "run"};
for (const [id, action] of Object.entries(actions)) find(id).addEventListener("click", () => {
  if (!["play", "fit", "run"].includes(id)) play(false);
  action();
});
addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const {key, target} = event, typing = target.matches("input[type=text]"), up = key === "ArrowUp", down = key === "ArrowDown";
  if ((typing && key === "Enter") || key === "Escape") return target.blur();
  if (target.id === "value" && key.startsWith("Arrow")) return;
  if (target.matches("button, select") && (key === " " || key === "Enter")) return;
  if (target.matches("select") && (up || down)) choose(other(down ? 1 : -1));
  else if (up || down) {
    if (target.id === "delta") return;
    nudge(up, event.shiftKey);
  } else if (typing) return;
  else if (key === "n" || key === "p") choose(other(key === "n" ? 1 : -1));
  else if (key === "t") find("delta").select();
  else if (keys[key]) find(keys[key]).click();
  else return;
  event.preventDefault();
});
find("slider").addEventListener("input", () => { play(false); show(Number(find("slider").value)); });
find("leaf").addEventListener("change", () => { choose(Number(find("leaf").value)); find("leaf").blur(); });
find("value").addEventListener("input", () => set(chosen, Number(find("value").value)));
find("number").addEventListener("input", () => set(chosen, typed("number")));
find("number").addEventListener("blur", () => { find("number").setAttribute("aria-invalid", false); renew(); });
addEventListener("hashchange", () => show(Number(location.hash.slice(1)) || 0));

find("layers").hidden = !tight;
document.querySelector("h1").textContent = document.title = scene.title;
data = [...recorded];
reset();
fit(Math.min(find("graph").clientWidth / width, find("graph").clientHeight / height) > 0.55);  // else it cannot be read
current = -1;
show(Number(location.hash.slice(1)) || 0);
