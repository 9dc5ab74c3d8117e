// The paper: what is drawn or put on it with mouse, finger, pen, keyboard or as a picture.

export const MAX_BODY_BYTES = 8000000;  // of a picture, as digits/web/predictions.py has it
export const MAX_PIXELS = 16000000;
const PEN = 0.068;                // width of the line, of the paper's side
const SENT = 140;                 // pixels a side of the drawing that is sent
const STEP = 0.02;                // of the paper's side: an arrow key's

const $ = (id) => document.getElementById(id);
const paper = $('paper');

// What was done, oldest first: {points}, {bitmap, blob} or {clear}. Undo takes away the last.
const done = [];
let drawing = null;               // the pointer that draws
let pen = null;                   // the keyboard's: {x, y, down}
let afterChange = () => {};

// Calls back after each change of what is on the paper, and once now.
export function watch(callback) {
  afterChange = callback;
  changed();
}

function changed() {
  paint();
  afterChange();
}

export function isDrawing() {
  return drawing !== null;
}

function strokes() {
  const start = done.reduce((last, item, at) => (item.points ? last : at), -1);
  return done.slice(start + 1);
}

function picture() {
  const last = done[done.length - 1];
  return last && last.bitmap ? last : null;
}

export function isBlank() {
  return !picture() && !strokes().length;
}

// From the middle between two points to the next middle, bent towards the point between: smooth.
function drawStrokes(context, side) {
  context.lineCap = context.lineJoin = 'round';
  for (const { points } of strokes()) {
    let from = points[0];
    points.forEach((point, at) => {
      const next = points[at + 1] || point;
      const to = { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 };
      context.lineWidth = PEN * side * point.weight;
      context.beginPath();
      context.moveTo(from.x * side, from.y * side);
      context.quadraticCurveTo(point.x * side, point.y * side, to.x * side, to.y * side + 0.01);
      context.stroke();
      from = to;
    });
  }
}

function drawPicture(context, side, { bitmap }) {
  const scale = side / Math.max(bitmap.width, bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  context.drawImage(bitmap, (side - width) / 2, (side - height) / 2, width, height);
}

function paint() {
  const side = Math.round(paper.clientWidth * devicePixelRatio);
  if (paper.width !== side) paper.width = paper.height = side;
  const context = paper.getContext('2d');
  context.clearRect(0, 0, side, side);
  context.strokeStyle = getComputedStyle(paper).color;
  if (picture()) drawPicture(context, side, picture());
  drawStrokes(context, side);
  if (pen && document.activeElement === paper) {
    context.lineWidth = side / 200;
    context.beginPath();
    context.arc(pen.x * side, pen.y * side, PEN * side * (pen.down ? 0.5 : 0.8), 0, 7);
    context.stroke();
  }
  $('hint').hidden = !isBlank() || Boolean(pen);
  $('clear').disabled = isBlank();
  $('undo').disabled = !done.length;
}

// ---- What is sent -----------------------------------------------------------------------------

// A PNG or JPEG, as a Blob or the promise of one.
export function toSend() {
  if (picture()) return picture().blob;
  const canvas = canvasOf(SENT, SENT);
  const context = canvas.getContext('2d');
  context.strokeStyle = 'black';
  drawStrokes(context, SENT);
  return toBlob(canvas);
}

function canvasOf(width, height) {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d');
  context.fillStyle = 'white';
  context.fillRect(0, 0, width, height);
  return canvas;
}

function toBlob(canvas) {
  return new Promise((resolve) => { canvas.toBlob(resolve, 'image/png'); });
}

// A PNG or JPEG goes as it is, so that predict.py says the same of it; what the server would
// refuse goes as a smaller PNG. Rejects if the browser cannot read it.
export async function showPicture(blob) {
  const bitmap = await createImageBitmap(blob);
  const fits = blob.size <= MAX_BODY_BYTES && bitmap.width * bitmap.height <= MAX_PIXELS;
  if (!fits || !/^image\/(png|jpeg)$/.test(blob.type)) {
    const scale = Math.min(1, 1600 / Math.max(bitmap.width, bitmap.height));
    const canvas = canvasOf(Math.ceil(bitmap.width * scale), Math.ceil(bitmap.height * scale));
    canvas.getContext('2d').drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    blob = await toBlob(canvas);
  }
  done.push({ bitmap, blob });
  pen = null;
  changed();
}

// ---- Drawing ----------------------------------------------------------------------------------

function pointOf(event) {
  const box = paper.getBoundingClientRect();
  const weight = event.pointerType === 'pen' && event.pressure ? 0.5 + event.pressure : 1;
  return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height,
    weight };
}

paper.addEventListener('pointerdown', (event) => {
  if (event.button || drawing !== null) return;
  drawing = event.pointerId;
  paper.setPointerCapture(drawing);
  pen = null;
  done.push({ points: [pointOf(event)] });
  changed();
});

paper.addEventListener('pointermove', (event) => {
  if (event.pointerId !== drawing) return;
  const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  done[done.length - 1].points.push(...(events.length ? events : [event]).map(pointOf));
  changed();
});

for (const end of ['pointerup', 'pointercancel']) {
  paper.addEventListener(end, (event) => {
    if (event.pointerId !== drawing) return;
    drawing = null;
    changed();
  });
}

paper.addEventListener('keydown', (event) => {
  const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.key !== ' ' && !move[event.key]) return;
  event.preventDefault();
  pen = pen || { x: 0.5, y: 0.5, down: false };
  if (event.key === ' ') pen.down = !pen.down;
  const [x, y] = move[event.key] || [0, 0];
  pen.x = Math.min(1, Math.max(0, pen.x + STEP * x));
  pen.y = Math.min(1, Math.max(0, pen.y + STEP * y));
  const point = { x: pen.x, y: pen.y, weight: 1 };
  if (pen.down && event.key === ' ') done.push({ points: [point] });
  else if (pen.down) done[done.length - 1].points.push(point);
  changed();
});
for (const focus of ['focus', 'blur']) paper.addEventListener(focus, paint);

export function undo() {
  if (drawing !== null) return;
  done.pop();
  pen = null;
  changed();
}

export function clear() {
  if (drawing !== null || isBlank()) return;
  done.push({ clear: true });
  pen = null;
  changed();
}

new ResizeObserver(paint).observe(paper);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paint);
