// The page: what its parts are told, buttons, keys and files. No library.
import { LANGUAGE, text } from './text.js';
import * as paper from './paper.js';
import * as ask from './ask.js';
import { makeBars, setBusy, showAnswer, showNothing, showTrouble } from './answer.js';

const $ = (id) => document.getElementById(id);

// ---- Showing ----------------------------------------------------------------------------------

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

// ---- Buttons, keys, files ---------------------------------------------------------------------

$('undo').addEventListener('click', paper.undo);
$('clear').addEventListener('click', paper.clear);
$('choose').addEventListener('click', () => $('file').click());
$('file').addEventListener('change', () => {
  takeFirst($('file').files);
  $('file').value = '';
});
$('maps').addEventListener('toggle', () => { if ($('maps').open) ask.again(); });

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
  if (files[0]) paper.showPicture(files[0]).catch(() => showTrouble('unreadable'));
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
makeBars();
ask.start({
  wanted: () => ($('maps').open ? 'image,page,maps' : 'image,page'),
  answer: (answer, place) => {
    showAnswer(answer, place);
    if (answer.maps) showMaps(answer.maps);
  },
  trouble: (kind) => {
    showTrouble(kind);
    $('layers').replaceChildren();
  },
  blank: () => {
    showNothing();
    $('layers').replaceChildren();
  },
  busy: setBusy,
});

// Until the server answers, which may not yet run or run no more.
function greet() {
  fetch('healthz').then((response) => response.json()).then(({ run }) => {
    $('run').textContent = run;
    if (paper.isBlank()) showNothing();
  }).catch(() => {
    if (paper.isBlank()) showTrouble('offline');
    setTimeout(greet, 2000);
  });
}
greet();
