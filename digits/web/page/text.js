// The words of the page, in English and Korean.

const a = (digit) => `${digit === 8 ? 'an' : 'a'}\u00a0${digit}`;

// Two decimals, with a minus sign that can be seen, and none before zero.
export function signed(value) {
  const size = Math.abs(value).toFixed(2);
  return value < 0 && Number(size) ? `−${size}` : size;
}

// 'after bias and ReLU' in Korean.
function applied(stage) {
  const words = { bias: '편향', normalisation: '정규화', pooling: '풀링', sum: '합' };
  const steps = stage.replace('after ', '').split(' and ').map((step) => words[step] || step);
  return stage.startsWith('after') ? `${steps.join('·')} 적용 후` : '출력은';
}

export const TEXT = {
  en: {
    title: 'Draw a digit', idea: 'The network reads it while you draw.', paper: 'Paper',
    hint: '0 to 9, with mouse, finger or pen', undo: 'Undo', redo: 'Redo', clear: 'Clear',
    keys: 'Arrow keys move the pen, the space bar puts it down and lifts it.',
    choose: 'Picture …', drop: 'Drop the picture here', paste: 'You can also paste a picture, or drop one here.',
    answer: 'Answer', seen: 'What it sees', probabilities: 'Probabilities',
    maps: 'From pixels to the answer', run: 'Read by',
    mapsIdea: 'Strong is white. Framed are the three maps that contributed most to the answer. '
      + 'Point at a pixel, or go there with the arrow keys, and see the sum behind it.',
    noLayers: 'This network has no hidden layer: each digit’s bar is one sum over all 784 pixels.',
    layer: (name, [maps, height, width]) => (height ? `${name}: ${maps} maps of ${height} × ${width}`
      : `${name}: ${maps} units`),
    contributedMost: (digit, maps, dense) => `Contributed most to the ${digit}: `
      + `${dense ? 'units' : 'maps'} ${maps.join(', ')}`,
    contribution: (digit, share, rank, of, dense) => `This ${dense ? 'unit' : 'map'} moved the `
      + `${digit} by ${signed(share)}, number ${rank} of ${of}.`,
    unit: (layer, unit) => `${layer}, unit ${unit}`,
    place: (layer, map, row, column) => `${layer}, map ${map}, row ${row}, column ${column}:`,
    sum: (sum, after, stage) => `the sum is ${signed(sum)}, ${stage || 'which is passed on as'} `
      + `${after.toFixed(2)}.`,
    channel: (channel) => `from map ${channel}`, patch: 'patch', filter: 'filter',
    otherChannels: (count) => `… and ${count} more`, nothing: 'Nothing drawn yet',
    reading: 'Reading …',
    toCome: 'The digit and how sure the network is will appear here.',
    several: (count) => `${count} digits`,
    is: (digit) => `This is ${a(digit)}`, sure: (share) => `${share} sure`,
    perhaps: (digit) => `Not sure. ${a(digit).replace('a', 'A')}?`,
    like: (digit) => `It could also be ${a(digit)}.`, unlike: 'Not sure. It is unlike any digit',
    nearest: (digit) => `${a(digit).replace('a', 'A')} comes nearest.`,
    'no ink': ['No ink yet', 'Draw one digit, dark enough to be seen.'],
    'no digit': ['No digit found', 'This does not look like ink on paper.'],
    'several digits': ['Several digits', 'One at a time, please.'],
    unreadable: ['This picture cannot be read', 'Try another, as PNG or JPEG.'],
    busy: ['Many are asking', 'The answer will come in a moment.'],
    fault: ['Something went wrong in the server', 'Its log says what. Asking again.'],
    offline: ['The server does not answer', 'Is draw.py still running?'],
  },
  ko: {
    title: '숫자를 그려 보세요', idea: '그리는 동안 신경망이 바로 인식합니다.', paper: '그림판',
    hint: '0부터 9까지 그려 보세요', undo: '실행 취소', redo: '다시 실행', clear: '지우기',
    keys: '화살표 키로 펜을 움직이고, 스페이스바로 펜을 내리거나 듭니다.',
    choose: '이미지 열기', drop: '여기에 이미지를 놓으세요', paste: '이미지를 붙여 넣거나 여기에 끌어다 놓아도 됩니다.',
    answer: '예측 결과', seen: '신경망 입력', probabilities: '확률',
    maps: '픽셀에서 예측까지', run: '사용 모델:',
    mapsIdea: '밝을수록 값이 큽니다. 답에 가장 크게 기여한 특징 맵 세 개에 테두리가 있습니다. '
      + '픽셀을 가리키거나 화살표 키로 옮겨 가면 그 값이 계산된 과정이 나옵니다.',
    noLayers: '이 모델에는 은닉층이 없습니다. 막대 하나가 784개 픽셀의 가중합 하나입니다.',
    layer: (name, [maps, height, width]) => (height
      ? `${name}: ${height} × ${width} 특징 맵 ${maps}개` : `${name}: 유닛 ${maps}개`),
    contributedMost: (digit, maps, dense) => `${digit}에 가장 크게 기여: ${dense ? '유닛' : '맵'} `
      + `${maps.join(', ')}`,
    contribution: (digit, share, rank, of, dense) => `이 ${dense ? '유닛' : '맵'}의 ${digit}에 대한 기여도는 `
      + `${signed(share)}(${of}개 중 ${rank}위)입니다.`,
    unit: (layer, unit) => `${layer}, 유닛 ${unit}`,
    place: (layer, map, row, column) => `${layer}, 맵 ${map}, ${row}행 ${column}열:`,
    sum: (sum, after, stage) => `합은 ${signed(sum)}, ${applied(stage)} ${after.toFixed(2)}입니다.`,
    channel: (channel) => `맵 ${channel}`, patch: '입력 조각', filter: '필터',
    otherChannels: (count) => `… 외 ${count}개`, nothing: '아직 그린 숫자가 없습니다',
    reading: '읽는 중 …',
    toCome: '인식한 숫자와 확률이 여기에 표시됩니다.',
    several: (count) => `숫자 ${count}개`,
    is: (digit) => `${digit}입니다`, sure: (share) => `확률 ${share}`,
    perhaps: (digit) => `${digit}일 수 있지만 확신하지 못합니다`,
    like: (digit) => `${digit}일 수도 있습니다.`, unlike: '확신하지 못합니다. 어느 숫자와도 닮지 않았습니다',
    nearest: (digit) => `가장 가까운 숫자는 ${digit}입니다.`,
    'no ink': ['그린 내용이 없습니다', '숫자 하나를 진하게 그려 주세요.'],
    'no digit': ['숫자를 찾지 못했습니다', '종이에 쓴 숫자로 보이지 않습니다.'],
    'several digits': ['숫자가 여러 개입니다', '한 번에 하나만 그려 주세요.'],
    unreadable: ['이미지를 열 수 없습니다', 'PNG나 JPEG 파일로 다시 시도해 주세요.'],
    busy: ['요청이 많습니다', '잠시 후 결과가 나옵니다.'],
    fault: ['서버에 오류가 발생했습니다', '원인은 서버 로그에 있습니다. 다시 요청하는 중입니다.'],
    offline: ['서버가 응답하지 않습니다', 'draw.py가 실행 중인지 확인해 주세요.'],
  },
};
export const LANGUAGE = /^ko\b/i.test(navigator.language) ? 'ko' : 'en';
export const text = TEXT[LANGUAGE];
