/** Pixels of a character cell; leave one empty column between characters. */
export const GLYPH_WIDTH = 5
export const GLYPH_HEIGHT = 7

/**
 * Printable ASCII from space to `~`. Each word is a glyph: one base-32 digit for each row, top to bottom, whose five bits are
 * the pixels, left one highest. `A` is `EHHVHHH`: .###. #...# #...# ##### #...# #...# #...#
 */
const GLYPHS = [
  '0000000 4444404 AAA0000 AAVAVAA 4FKE5U4 OP248J3 CIK8LID 4440000 2488842 8422248 04LEL40 044V440',
  '0000648 000V000 00000CC 01248G0 EHJLPHE 4C4444E EH1248V V2421HE 26AIV22 VGU11HE 68GUHHE V124888',
  'EHHEHHE EHHF12C 0CC0CC0 0CC0C48 248G842 00V0V00 8421248 EH12404 EHNLNGF EHHVHHH UHHUHHU EHGGGHE',
  'SIHHHIS VGGUGGV VGGUGGG EHGNHHF HHHVHHH E44444E 72222IC HIKOKIH GGGGGGV HRLLHHH HHPLJHH EHHHHHE',
  'UHHUGGG EHHHLID UHHUKIH FGGE11U V444444 HHHHHHE HHHHHA4 HHHLLRH HHA4AHH HHA4444 V1248GV E88888E',
  '0G84210 E22222E 4AH0000 000000V 8420000 00E1FHF GGMPHHU 00EGGHE 11DJHHF 00EHVGE 698S888 00FHF1E',
  'GGMPHHH 40C444E 20622IC GGIKOKI C44444E 00QLLLL 00MPHHH 00EHHHE 00UHUGG 00DJF11 00MPGGG 00FGE1U',
  '88S8896 00HHHJD 00HHHA4 00HHLLA 00HA4AH 00HHF1E 00V248V 2448442 4444444 8442448 008L200',
]
  .join(' ')
  .split(' ')

const FIRST_CODE = 32
const UNKNOWN = '?'.charCodeAt(0)

/** Whether the glyph of `code` (a UTF-16 unit; those outside printable ASCII look like `?`) covers pixel (x, y) of its cell. */
export function glyphCovers(code: number, x: number, y: number): boolean {
  const glyph = GLYPHS[code - FIRST_CODE] ?? GLYPHS[UNKNOWN - FIRST_CODE]!
  return ((Number.parseInt(glyph[y]!, 32) >> (GLYPH_WIDTH - 1 - x)) & 1) === 1
}
