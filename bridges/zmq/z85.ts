import { ArmatureError } from '../../src/core/errors.ts'

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#'
const DIGITS = new Map(Array.from(ALPHABET, (character, digit) => [character, digit]))

/** Text of `bytes`, whose length must be a multiple of 4: 5 characters for 4 bytes (ZeroMQ RFC 32, Z85). */
export function encodeZ85(bytes: Uint8Array): string {
  if (bytes.length % 4 !== 0) {
    throw new ArmatureError('bad-argument', 'Z85', { expected: 'a multiple of 4 bytes', got: `${bytes.length}` })
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let text = ''
  for (let i = 0; i < bytes.length; i += 4) {
    const value = view.getUint32(i)
    for (let power = 85 ** 4; power >= 1; power /= 85) text += ALPHABET[Math.floor(value / power) % 85]!
  }
  return text
}

/** @throws ArmatureError `bad-value` for text that is not Z85 */
export function decodeZ85(text: string): Buffer {
  const refuse = (got: string): ArmatureError =>
    new ArmatureError('bad-value', 'Z85 text', { expected: 'groups of 5 characters of its alphabet', got })
  if (text.length % 5 !== 0) throw refuse(`${text.length} characters`)
  const bytes = Buffer.alloc((text.length / 5) * 4)
  for (let i = 0; i < text.length; i += 5) {
    let value = 0
    for (const character of text.slice(i, i + 5)) {
      const digit = DIGITS.get(character)
      if (digit === undefined) throw refuse(`"${character}"`)
      value = value * 85 + digit
    }
    if (value > 0xffffffff) throw refuse('a group above 2^32 - 1')
    bytes.writeUInt32BE(value, (i / 5) * 4)
  }
  return bytes
}
