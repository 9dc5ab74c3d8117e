// Draws on a canvas, asks POST /predict while you draw, shows the answer. No library.
'use strict';

const TEXT = {
  en: {
    title: 'Draw a digit', idea: 'The network reads it while you draw.', paper: 'Paper',
    hint: '0 to 9, large, with mouse, finger or pen', undo: 'Undo', clear: 'Clear',
    keys: 'Arrow keys move the pen, the space bar puts it down and lifts it.',
    choose: 'Open a picture', paste: 'You can also paste a picture, or drop one here.',
    answer: 'Answer', seen: 'What it sees: 28\u00a0×\u00a028', probabilities: 'Probabilities',
    maps: 'What the convolutions make of it', run: 'Read by',
    mapsIdea: 'Each small picture is one filter’s answer: white where it is strong.',
    noMaps: 'This run has no convolution.', nothing: 'Nothing drawn yet',
    is: (digit, share) => `This is a ${digit}`, sure: (share) => `${share} sure`,
    perhaps: (digit) => `Not sure. A\u00a0${digit}?`,
    like: (digit) => `It looks as much like a ${digit}.`, unlike: 'It is unlike any digit.',
    before: 'before bias and ReLU', after: 'after bias and ReLU',
    beforeRelu: 'before ReLU', afterRelu: 'after ReLU',
    'no ink': ['No ink yet', 'Draw one digit, dark enough to be seen.'],
    'no digit': ['No digit found', 'This does not look like ink on paper.'],
    'several digits': ['Several digits', 'One at a time, please.'],
    unreadable: ['This picture cannot be read', 'Try another, as PNG or JPEG.'],
    busy: ['Many are asking', 'The answer will come in a moment.'],
    offline: ['The server does not answer', 'Is draw.py still running?'],
  },
  ko: {
    title: '숫자를 그려 보세요', idea: '그리는 동안 신경망이 읽습니다.', paper: '종이',
    hint: '0부터 9까지, 크게 그려 보세요', undo: '되돌리기', clear: '지우기',
    keys: '화살표 키로 펜을 움직이고, 스페이스 바로 펜을 내리거나 듭니다.',
    choose: '그림 열기', paste: '그림을 붙여 넣거나 여기에 끌어다 놓아도 됩니다.',
    answer: '답', seen: '신경망이 보는 28\u00a0×\u00a028', probabilities: '확률',
    maps: '합성곱 층이 보는 것', run: '읽는 모델:',
    mapsIdea: '작은 그림 하나가 필터 하나의 답입니다. 흴수록 강합니다.',
    noMaps: '이 모델에는 합성곱 층이 없습니다.', nothing: '아직 그린 것이 없습니다',
    is: (digit) => `${digit}입니다`, sure: (share) => `확률 ${share}`,
    perhaps: (digit) => `${digit}일까요? 확실하지 않습니다`,
    like: (digit) => `${digit}처럼도 보입니다.`, unlike: '어느 숫자와도 닮지 않았습니다.',
    before: '편향과 ReLU 앞', after: '편향과 ReLU 뒤', beforeRelu: 'ReLU 앞', afterRelu: 'ReLU 뒤',
    'no ink': ['아직 잉크가 없습니다', '숫자 하나를 진하게 그려 주세요.'],
    'no digit': ['숫자를 찾지 못했습니다', '종이에 쓴 글씨처럼 보이지 않습니다.'],
    'several digits': ['숫자가 여럿입니다', '한 번에 하나만 그려 주세요.'],
    unreadable: ['읽을 수 없는 그림입니다', 'PNG나 JPEG로 다시 해 보세요.'],
    busy: ['요청이 몰려 있습니다', '곧 답이 나옵니다.'],
    offline: ['서버가 답하지 않습니다', 'draw.py가 실행 중인지 확인해 주세요.'],
  },
};
const LANGUAGE = /^ko\b/i.test(navigator.language) ? 'ko' : 'en';
const text = TEXT[LANGUAGE];

const PEN = 0.068;                // width of the line, of the paper's side
const SENT = 140;                 // pixels a side of the drawing that is sent
const PAUSE = 60;                 // milliseconds between two questions at least
const MOST_BYTES = 8000000;       // of a picture, as digits/web/server.py has it
const MOST_PIXELS = 16000000;
const STEP = 0.02;                // of the paper's side: an arrow key's

const $ = (id) => document.getElementById(id);
const paper = $('paper');

// What was done, oldest first: {points}, {bitmap, blob} or {clear}. Undo takes away the last.
const done = [];
let drawing = null;               // the pointer that draws
let pen = null;                   // the keyboard's: {x, y, down}

// ---- What is on the paper ---------------------------------------------------------------------

function strokes() {
  const start = done.reduce((last, item, at) => (item.points ? last : at), -1);
  return done.slice(start + 1);
}

function picture() {
  const last = done[done.length - 1];
  return last && last.bitmap ? last : null;
}

function isBlank() {
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

function changed() {
  paint();
  ask();
}

// ---- Asking: at most one question is under way, and the newest drawing is the next -----------

let underWay = false, waiting = false, lastAsked = 0;

function ask() {
  waiting = true;
  if (underWay) return;
  $('answer').setAttribute('aria-busy', !isBlank());
  if (isBlank()) {
    waiting = false;
    showNothing();
    return;
  }
  underWay = true;
  setTimeout(askNow, Math.max(0, lastAsked + PAUSE - performance.now()));
}

async function askNow() {
  let rest = 0;
  waiting = false;
  lastAsked = performance.now();
  try {
    const body = await toSend();
    const maps = $('maps').open ? ',maps' : '';
    const response = await fetch(`predict?with=image${maps}`, {
      method: 'POST', body, headers: { 'Content-Type': body.type },
    });
    const answer = await response.json();
    if (isBlank()) showNothing();
    else if (response.ok) showAnswer(answer);
    else if (response.status === 503) {
      showSentence('busy');
      waiting = true;
      rest = 1000;
    } else if (!drawing) showSentence(answer.kind || 'unreadable');
  } catch (error) {
    showSentence('offline');
  }
  setTimeout(() => {
    underWay = false;
    if (waiting) ask();
    else $('answer').setAttribute('aria-busy', false);
  }, rest);
}

function toSend() {
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
// refuse goes as a smaller PNG.
async function showPicture(blob) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch (error) {
    showSentence('unreadable');
    return;
  }
  const fits = blob.size <= MOST_BYTES && bitmap.width * bitmap.height <= MOST_PIXELS;
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

// ---- Showing ----------------------------------------------------------------------------------

// No network is sure of everything: 99.97 % is shown as 99.9 %.
function percent(share) {
  return new Intl.NumberFormat(LANGUAGE, { style: 'percent', maximumFractionDigits: 1 })
    .format(Math.min(share, 0.999));
}

function show(state, digit, sentence, more) {
  document.body.dataset.state = state;
  $('digit').textContent = digit;
  $('sentence').textContent = sentence;
  $('more').textContent = more;
  announce(`${sentence}. ${more}`);
}

function showAnswer(answer) {
  const like = /(\d)$/.exec(answer.doubt || '');
  show(answer.sure ? 'sure' : 'doubt', answer.digit,
    answer.sure ? text.is(answer.digit) : text.perhaps(answer.digit),
    answer.sure ? text.sure(percent(answer.probability)) :
      like ? text.like(like[1]) : text.unlike);
  $('seen').src = `data:image/png;base64,${answer.image}`;
  $('seen').hidden = false;
  showBars(answer.probabilities, answer.digit);
  if (answer.maps) showMaps(answer.maps);
}

function showSentence(kind) {
  show('sorry', '', ...(text[kind] || text.unreadable));
  showBars(Array(10).fill(0), -1);
  $('seen').hidden = true;
  $('layers').replaceChildren();
}

function showNothing() {
  showSentence('no ink');
  show('blank', '', text.nothing, '');
}

function showBars(probabilities, best) {
  probabilities.forEach((share, digit) => {
    const row = $('bars').children[digit];
    row.classList.toggle('best', digit === best);
    row.style.setProperty('--share', share);
    row.lastChild.textContent = best < 0 ? '' : percent(share);
  });
}

function showMaps(maps) {
  if (!maps.length) {
    $('layers').textContent = text.noMaps;
    return;
  }
  const words = { 'before bias and ReLU': text.before, 'after bias and ReLU': text.after,
    'before ReLU': text.beforeRelu, 'after ReLU': text.afterRelu };
  $('layers').replaceChildren(...maps.map(({ title, image }) => {
    const [layer, stage] = title.split(', ');
    const figure = document.createElement('figure');
    const caption = document.createElement('figcaption');
    caption.textContent = `${layer}, ${words[stage] || stage}`;
    const img = Object.assign(new Image(), { src: `data:image/png;base64,${image}` });
    img.alt = caption.textContent;
    figure.append(caption, img);
    return figure;
  }));
}

// To a screen reader: once it stands still, or every stroke would be a flood of words.
let announcing = 0;
function announce(sentence) {
  clearTimeout(announcing);
  announcing = setTimeout(() => { $('said').textContent = sentence; }, 700);
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

function undo() {
  if (drawing !== null) return;
  done.pop();
  pen = null;
  changed();
}

function clear() {
  if (drawing !== null || isBlank()) return;
  done.push({ clear: true });
  pen = null;
  changed();
}

$('undo').addEventListener('click', undo);
$('clear').addEventListener('click', clear);
$('choose').addEventListener('click', () => $('file').click());
$('file').addEventListener('change', () => {
  if ($('file').files[0]) showPicture($('file').files[0]);
  $('file').value = '';
});
$('maps').addEventListener('toggle', () => { if ($('maps').open) ask(); });

document.addEventListener('keydown', (event) => {
  const command = event.ctrlKey || event.metaKey;
  if (command && !event.shiftKey && event.key.toLowerCase() === 'z') {
    event.preventDefault();
    undo();
  } else if (['Escape', 'Delete', 'Backspace'].includes(event.key)) clear();
});

document.addEventListener('paste', (event) => takeFirst(event, event.clipboardData));
document.addEventListener('drop', (event) => takeFirst(event, event.dataTransfer));
document.addEventListener('dragover', (event) => event.preventDefault());

function takeFirst(event, transfer) {
  event.preventDefault();
  if (transfer.files[0]) showPicture(transfer.files[0]);
}

// ---- Beginning --------------------------------------------------------------------------------

document.documentElement.lang = LANGUAGE;
document.title = text.title;
for (const element of document.querySelectorAll('[data-text]')) {
  element.textContent = text[element.dataset.text];
}
for (const element of document.querySelectorAll('[data-label]')) {
  element.setAttribute('aria-label', text[element.dataset.label]);
}
for (let digit = 0; digit < 10; digit += 1) {
  const row = document.createElement('li');
  for (const part of ['name', 'bar', 'share']) {
    row.append(Object.assign(document.createElement('span'), { className: part }));
  }
  row.firstChild.textContent = digit;
  $('bars').append(row);
}
fetch('healthz').then((response) => response.json()).then(({ run }) => {
  $('run').textContent = run;
}).catch(() => showSentence('offline'));
new ResizeObserver(paint).observe(paper);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paint);
changed();
