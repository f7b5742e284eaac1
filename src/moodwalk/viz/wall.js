"use strict";
document.querySelectorAll(".wall:not([data-ready])").forEach((wall) => {
  wall.dataset.ready = "";
  const TILT = 0.16; // radians from above
  const NARROWEST = 72, WIDEST = 170, GAP_PX = 6; // of a walker's cell
  const MOST_PIXELS = 12e6, LONGEST_SIDE = 16000; // a phone shows no larger canvas
  const HEAD = 0.04, LIMB = 0.045, RIM = 0.0125; // of a walker's height
  const KEY_STEP = Math.PI / 24;
  const TONED = 0.034, SWELL = 0.05; // of a walker's height: a joint without weight, and what a full one adds
  const {rows, walkers, unit, missing, height, radius, limbs, head, points, tones, widest = WIDEST} =
    JSON.parse(wall.querySelector("script[type='application/json']").textContent);
  const canvas = wall.querySelector("canvas");
  const lanes = [...wall.querySelectorAll(".wall-lane")];
  const player = wall.querySelector(".wall-player");
  const button = player.querySelector("button");
  const pen = canvas.getContext("2d");
  const bytes = Uint8Array.from(atob(points), (letter) => letter.charCodeAt(0));
  const data = new Int16Array(bytes.buffer); // little-endian, as every browser's machine is
  const joints = data.length / 3 / walkers.reduce((sum, [frames]) => sum + frames, 0);
  const tone = tones && new Int8Array(
    Uint8Array.from(atob(tones), (letter) => letter.charCodeAt(0)).buffer);
  const weight = new Float64Array(joints); // of each joint at the moment, -1 to 1
  const [across, up, near] = [0, 1, 2].map(() => new Float64Array(joints));
  const tall = height * Math.cos(TILT), deep = radius * Math.sin(TILT);
  const lift = 0.1 * height; // the head's upper half

  let yaw = Math.PI / 4, held = 0, time = 0, last = 0;
  let size = "", scale = 1, cell = [0, 0], places = [], colours = {}, ground = "";

  const measure = () => [wall.clientWidth, canvas.clientHeight, devicePixelRatio].join();

  const layOut = () => {
    const width = wall.clientWidth;
    const most = Math.max(...rows);
    const fitting = Math.max(3, Math.floor((width + GAP_PX) / (NARROWEST + GAP_PX)));
    const columns = Math.ceil(most / Math.ceil(most / fitting)); // lines of even length
    const least = widest > WIDEST ? 1 : 3;
    const wide = Math.min(widest, (width + GAP_PX) / Math.max(least, columns) - GAP_PX);
    scale = wide / (1.85 * radius); // few reach farthest, and none in every direction
    cell = [wide, (tall + lift + 2 * deep) * scale + GAP_PX];
    lanes.forEach((lane, i) => {
      lane.style.height = Math.ceil(rows[i] / columns) * cell[1] + "px";
    });
    places = lanes.flatMap((lane, i) => Array.from({length: rows[i]}, (_, k) => [
      (k % columns) * (cell[0] + GAP_PX) + cell[0] / 2,
      lane.offsetTop + Math.floor(k / columns) * cell[1] + (lift + tall + deep) * scale,
    ]));
    const high = canvas.clientHeight;
    const fine = Math.min(
      devicePixelRatio, Math.sqrt(MOST_PIXELS / (width * high)), LONGEST_SIDE / high);
    canvas.width = Math.round(width * fine);
    canvas.height = Math.round(high * fine);
    pen.setTransform(fine, 0, 0, fine, 0, 0);
    pen.lineCap = pen.lineJoin = "round";
    size = measure();
  };

  const readColours = () => {
    const style = getComputedStyle(wall);
    const read = (name) => style.getPropertyValue("--wall-" + name).trim();
    for (const side of ["right", "left", "middle"]) colours[side] = read(side);
    for (const name of tone ? ["against", "even", "towards"] : []) {
      colours[name] = read(name).match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16));
    }
    ground = read("ground");
  };

  // between two frames a walker is drawn in between; after the last comes the first
  const pose = (start, frames, fps) => {
    const at = (time * fps) % frames, k = Math.floor(at), share = at - k;
    const cos = Math.cos(yaw), sin = Math.sin(yaw);
    for (let j = 0; j < joints; j++) {
      const a = 3 * ((start + k) * joints + j);
      const b = 3 * ((start + (k + 1) % frames) * joints + j);
      if (data[a] === missing) {
        across[j] = NaN;
        continue;
      }
      const part = data[b] === missing ? 0 : share;
      if (tone) weight[j] = (tone[a / 3] + part * (tone[b / 3] - tone[a / 3])) / 127;
      const mix = (i) => unit * (data[a + i] + part * (data[b + i] - data[a + i]));
      const x = mix(0), y = mix(1), z = mix(2);
      across[j] = x * cos + z * sin;
      near[j] = z * cos - x * sin;
      up[j] = y * Math.cos(TILT) - near[j] * Math.sin(TILT);
    }
  };

  // a limb is as near as its own joints: the first is the trunk's
  const depth = ({joints: [, ...ends]}) => {
    const there = ends.filter((joint) => !Number.isNaN(across[joint]));
    return there.reduce((sum, joint) => sum + near[joint], 0) / (there.length || 1);
  };

  const trace = (path, x, y, px) => {
    let before = NaN;
    pen.beginPath();
    for (const joint of path) {
      const toX = x + across[joint] * scale, toY = y - up[joint] * scale;
      if (!Number.isNaN(before) && !Number.isNaN(toX)) pen.lineTo(toX, toY);
      else if (!Number.isNaN(toX)) pen.moveTo(toX, toY);
      if (joint === head && !Number.isNaN(toX)) {
        pen.moveTo(toX + HEAD * px, toY);
        pen.arc(toX, toY, HEAD * px, 0, 2 * Math.PI);
      }
      before = toX;
    }
  };

  const blend = (value) => {
    const end = colours[value < 0 ? "against" : "towards"];
    const parts = colours.even.map((from, i) => Math.round(from + Math.abs(value) * (end[i] - from)));
    return `rgb(${parts.join()})`;
  };

  // every joint with the halves of its bones, the weightiest last
  const drawTones = (path, x, y, px) => {
    const there = path.filter((joint) => !Number.isNaN(across[joint]));
    const at = (joint) => [x + across[joint] * scale, y - up[joint] * scale];
    const order = [...there].sort((one, other) => Math.abs(weight[one]) - Math.abs(weight[other]));
    for (const joint of order) {
      const [toX, toY] = at(joint), k = path.indexOf(joint);
      pen.strokeStyle = pen.fillStyle = blend(weight[joint]);
      pen.lineWidth = (TONED + 0.4 * SWELL * Math.abs(weight[joint])) * px;
      for (const other of [path[k - 1], path[k + 1]]) {
        if (!there.includes(other)) continue;
        const [fromX, fromY] = at(other);
        pen.beginPath();
        pen.moveTo((fromX + toX) / 2, (fromY + toY) / 2);
        pen.lineTo(toX, toY);
        pen.stroke();
      }
      pen.beginPath();
      const swell = (TONED + SWELL * Math.abs(weight[joint])) / 2;
      pen.arc(toX, toY, (joint === head ? Math.max(HEAD, swell) : swell) * px, 0, 2 * Math.PI);
      pen.fill();
    }
  };

  const drawWalker = (x, y) => {
    const px = height * scale;
    pen.fillStyle = ground;
    pen.beginPath();
    pen.ellipse(x, y, 0.3 * px, 0.3 * px * Math.sin(TILT), 0, 0, 2 * Math.PI);
    pen.fill();
    for (const {side, joints: path} of limbs.sort((one, other) => depth(one) - depth(other))) {
      trace(path, x, y, px);
      // a rim of background sets what is near off from what is behind
      pen.globalCompositeOperation = "destination-out";
      pen.lineWidth = (LIMB + 2 * RIM) * px;
      pen.stroke();
      pen.globalCompositeOperation = "source-over";
      if (tone) {
        drawTones(path, x, y, px);
        continue;
      }
      pen.strokeStyle = pen.fillStyle = colours[side];
      pen.lineWidth = LIMB * px;
      pen.stroke();
      if (path.includes(head)) {
        trace([head], x, y, px);
        pen.fill();
      }
    }
  };

  const draw = (all = true) => {
    if (!wall.clientWidth) return; // not shown
    if (size !== measure()) layOut();
    const {top} = canvas.getBoundingClientRect();
    const from = all ? 0 : -top, to = all ? canvas.clientHeight : innerHeight - top;
    pen.clearRect(0, from, canvas.clientWidth, to - from);
    let start = 0;
    walkers.forEach(([frames, fps], i) => {
      const [x, y] = places[i];
      if (y > from && y - cell[1] < to) {
        pose(start, frames, fps);
        drawWalker(x, y);
      }
      start += frames;
    });
  };

  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let playing = !calm.matches, seen = false, ticking = false;
  const tick = (now) => {
    ticking = playing && seen;
    if (!ticking) return draw();
    time += Math.min(now - last, 100) / 1000;
    last = now;
    draw(false);
    requestAnimationFrame(tick);
  };
  const wake = () => {
    button.textContent = playing ? "Pause" : "Play";
    if (ticking || !playing || !seen) return;
    ticking = true;
    requestAnimationFrame((now) => { last = now; tick(now); });
  };
  const turn = (angle) => {
    yaw += angle;
    if (!ticking) draw();
  };

  button.addEventListener("click", () => { playing = !playing; wake(); });
  canvas.addEventListener("keydown", (event) => {
    const way = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!way || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    turn(way * KEY_STEP);
  });
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    held = event.clientX;
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    turn((event.clientX - held) / 90);
    held = event.clientX;
  });
  new IntersectionObserver((entries) => {
    seen = entries.at(-1).isIntersecting;
    wake();
  }).observe(canvas);
  new ResizeObserver(() => requestAnimationFrame(() => draw())).observe(wall);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readColours();
    draw();
  });
  player.hidden = false;
  readColours();
  draw();
  wake();
});
