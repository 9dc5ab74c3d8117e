// The paper: what is drawn or put on it with mouse, finger, pen, keyboard or as a picture.
import { PEN, draw, place } from './strokes.js';

export const MAX_BODY_BYTES = 8000000;  // of a picture, as digits/web/predictions.py has it
export const MAX_PIXELS = 16000000;
const STEP = 0.02;                // of the paper's side: an arrow key's

const $ = (id) => document.getElementById(id);
const paper = $('paper');

// What was done, oldest first: {points}, {bitmap, blob, scale} or {clear}. Undo takes away the last.
const done = [];
const undone = [];                // the last first
let drawing = null;               // the pointer that draws
let pen = null;                   // the keyboard's: {x, y, down}
let boxes = [];                   // of the digits that were found: {box, name, sure} in shares
let afterChange = () => {};

// Calls back after each change of what is on the paper, and once now.
export function watch(callback) {
  afterChange = callback;
  changed();
}

function changed() {
  boxes = [];
  paint();
  afterChange();
}

function add(item) {
  done.push(item);
  undone.length = 0;
}

export function isDrawing() {
  return drawing !== null || Boolean(pen && pen.down);
}

// Which drawing this is: another one begins with clearing, and with a picture.
export function drawingNumber() {
  return done.reduce((last, item, at) => (item.points ? last : at), -1);
}

function strokes() {
  return done.slice(drawingNumber() + 1);
}

function picture() {
  const last = done[done.length - 1];
  return last && last.bitmap ? last : null;
}

export function isPicture() {
  return Boolean(picture());
}

export function isBlank() {
  return !picture() && !strokes().length;
}

// Boxes around digits, in pixels of what was sent from that place, with their names.
export function showBoxes(digits, { left, top, scale }) {
  const edge = picture() ? 0.005 : PEN / 2;  // what is sent is thinner than what is drawn
  boxes = digits.map(({ box, digit, sure }) => ({ name: sure ? `${digit}` : `${digit}?`, sure,
    box: box.map((side, at) => side / scale + (at % 2 ? top : left) + (at < 2 ? -edge : edge)) }));
  paint();
}

// ---- Painting ---------------------------------------------------------------------------------

function placeOf({ width, height }) {
  const scale = Math.max(width, height);
  return { left: (1 - width / scale) / 2, top: (1 - height / scale) / 2, scale };
}

function drawPicture(context, side, { bitmap }) {
  const { left, top } = placeOf(bitmap);
  context.drawImage(bitmap, left * side, top * side, (1 - 2 * left) * side, (1 - 2 * top) * side);
}

function drawBoxes(context, side) {
  const size = Math.max(13 * devicePixelRatio, side / 32);
  const style = getComputedStyle(paper);
  context.font = `600 ${size}px ${style.fontFamily}`;
  context.textBaseline = 'middle';
  context.lineWidth = Math.max(1.5 * devicePixelRatio, side / 300);
  for (const { box, name, sure } of boxes) {
    const [left, top, right, bottom] = box.map((share) => share * side);
    context.strokeStyle = context.fillStyle = style.getPropertyValue(sure ? '--accent' : '--doubt');
    context.strokeRect(left, top, right - left, bottom - top);
    const [width, above] = [context.measureText(name).width + size / 2, Math.max(0, top - size * 1.2)];
    context.fillRect(left, above, width, size * 1.2);
    context.fillStyle = style.getPropertyValue('--card');
    context.fillText(name, left + size / 4, above + size * 0.65);
  }
}

function paint() {
  const side = Math.round(paper.clientWidth * devicePixelRatio);
  if (paper.width !== side) paper.width = paper.height = side;
  const context = paper.getContext('2d');
  context.clearRect(0, 0, side, side);
  context.strokeStyle = getComputedStyle(paper).color;
  if (picture()) drawPicture(context, side, picture());
  draw(context, strokes(), { left: 0, top: 0, scale: side, pen: PEN * side });
  if (pen && document.activeElement === paper) {
    context.lineWidth = side / 200;
    context.beginPath();
    context.arc(pen.x * side, pen.y * side, PEN * side * (pen.down ? 0.5 : 0.8), 0, 7);
    context.stroke();
  }
  drawBoxes(context, side);
  $('hint').hidden = !isBlank() || Boolean(pen);
  $('clear').disabled = isBlank();
  $('undo').disabled = !done.length;
  $('redo').disabled = !undone.length;
}

// ---- What is sent -----------------------------------------------------------------------------

// {body, place}: a PNG or JPEG, and where its pixels are on the paper.
export async function toSend() {
  if (picture()) return { body: picture().blob, place: picture().place };
  const where = place(strokes());
  const canvas = canvasOf(where.width, where.height);
  const context = canvas.getContext('2d');
  context.strokeStyle = 'black';
  draw(context, strokes(), where);
  return { body: await toBlob(canvas), place: where };
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
  let sent = bitmap;
  if (!fits || !/^image\/(png|jpeg)$/.test(blob.type)) {
    const scale = Math.min(1, 1600 / Math.max(bitmap.width, bitmap.height));
    sent = canvasOf(Math.ceil(bitmap.width * scale), Math.ceil(bitmap.height * scale));
    sent.getContext('2d').drawImage(bitmap, 0, 0, sent.width, sent.height);
    blob = await toBlob(sent);
  }
  add({ bitmap, blob, place: placeOf(sent) });
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
  add({ points: [pointOf(event)] });
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
  if (pen.down && event.key === ' ') add({ points: [point] });
  else if (pen.down) done[done.length - 1].points.push(point);
  changed();
});
for (const focus of ['focus', 'blur']) paper.addEventListener(focus, paint);

export function undo() {
  takeBack(done, undone);
}

export function redo() {
  takeBack(undone, done);
}

function takeBack(from, to) {
  if (drawing !== null || !from.length) return;
  to.push(from.pop());
  pen = null;
  changed();
}

export function clear() {
  if (drawing !== null || isBlank()) return;
  add({ clear: true });
  pen = null;
  changed();
}

new ResizeObserver(paint).observe(paper);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paint);
