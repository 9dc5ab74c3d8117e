// Asks POST /predict while you draw, and shows the answer. No library.
import { LANGUAGE, text } from './text.js';
import * as paper from './paper.js';

const PAUSE = 60;                 // milliseconds between two questions at least

const $ = (id) => document.getElementById(id);

// ---- Asking: at most one question is under way, and the newest drawing is the next -----------

let underWay = false, waiting = false, lastAsked = 0;

function ask() {
  waiting = true;
  if (underWay) return;
  $('answer').setAttribute('aria-busy', !paper.isBlank());
  if (paper.isBlank()) {
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
    const body = await paper.toSend();
    const maps = $('maps').open ? ',maps' : '';
    const response = await fetch(`predict?with=image${maps}`, {
      method: 'POST', body, headers: { 'Content-Type': body.type },
    });
    const answer = await response.json();
    if (paper.isBlank()) showNothing();
    else if (response.ok) showAnswer(answer);
    else if (response.status === 503) {
      showSentence('busy');
      waiting = true;
      rest = 1000;
    } else if (!paper.isDrawing()) showSentence(answer.kind || 'unreadable');
  } catch (error) {
    showSentence('offline');
  }
  setTimeout(() => {
    underWay = false;
    if (waiting) ask();
    else $('answer').setAttribute('aria-busy', false);
  }, rest);
}

// ---- Showing ----------------------------------------------------------------------------------

// As texts.percent of predict.py: one decimal place, 99.9 % at most, for no network is certain.
function percent(share) {
  return new Intl.NumberFormat(LANGUAGE, {
    style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1,
  }).format(Math.min(share, 0.999));
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

// ---- Buttons, keys, files ---------------------------------------------------------------------

$('undo').addEventListener('click', paper.undo);
$('clear').addEventListener('click', paper.clear);
$('choose').addEventListener('click', () => $('file').click());
$('file').addEventListener('change', () => {
  takeFirst($('file').files);
  $('file').value = '';
});
$('maps').addEventListener('toggle', () => { if ($('maps').open) ask(); });

document.addEventListener('keydown', (event) => {
  const command = event.ctrlKey || event.metaKey;
  if (command && !event.shiftKey && event.key.toLowerCase() === 'z') {
    event.preventDefault();
    paper.undo();
  } else if (['Escape', 'Delete', 'Backspace'].includes(event.key)) paper.clear();
});

document.addEventListener('paste', (event) => {
  event.preventDefault();
  takeFirst(event.clipboardData.files);
});
document.addEventListener('drop', (event) => {
  event.preventDefault();
  takeFirst(event.dataTransfer.files);
});
document.addEventListener('dragover', (event) => event.preventDefault());

function takeFirst(files) {
  if (files[0]) paper.showPicture(files[0]).catch(() => showSentence('unreadable'));
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
paper.watch(ask);
