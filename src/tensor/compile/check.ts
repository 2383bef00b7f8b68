import { ArmatureError } from '../../core/errors.ts'
import type { NdArray } from '../../core/ndarray.ts'
import { dtypeOf, sizeOf } from '../../core/ndarray.ts'

/**
 * Checks what a program is given, before anything runs.
 * @throws ArmatureError `bad-shape` where data and shape disagree, `bad-argument` for float64, `bad-value` for NaN and infinities.
 */
export function checkInputs(program: string, inputs: Readonly<Record<string, NdArray>>): void {
  for (const [name, { data, shape }] of Object.entries(inputs)) {
    const what = `program ${program}, input ${name}`
    const dtype = dtypeOf(data)
    if (dtype === 'float64') {
      throw new ArmatureError('bad-argument', what, { expected: 'float32, int32 or uint8', got: dtype })
    }
    if (data.length !== sizeOf(shape)) {
      throw new ArmatureError('bad-shape', what, {
        expected: `${sizeOf(shape)} elements for shape [${shape.join(', ')}]`,
        got: String(data.length),
      })
    }
    if (dtype === 'float32') checkFinite(what, data as Float32Array)
  }
}

function checkFinite(what: string, data: Float32Array): void {
  // A sum is finite only if every term is: four sums side by side cost a twentieth of a test per element. Terms that overflow a
  // float64 cannot come from float32.
  let [a, b, c, d] = [0, 0, 0, 0]
  const whole = data.length & ~3
  for (let i = 0; i < whole; i += 4) {
    a += data[i]!
    b += data[i + 1]!
    c += data[i + 2]!
    d += data[i + 3]!
  }
  for (let i = whole; i < data.length; i++) a += data[i]!
  if (Number.isFinite(a + b + c + d)) return
  const index = data.findIndex((value) => !Number.isFinite(value))
  throw new ArmatureError('bad-value', what, { expected: 'finite numbers', got: `${data[index]} at index ${index}` })
}

/**
 * Checks the scalar results of a program, its losses among them.
 * @throws ArmatureError `bad-value` that names the output.
 */
export function checkScalars(program: string, outputs: Readonly<Record<string, NdArray>>): void {
  for (const [name, { data, shape }] of Object.entries(outputs)) {
    if (sizeOf(shape) !== 1 || !Number.isNaN(data[0])) continue
    throw new ArmatureError('bad-value', `program ${program}, output ${name}`, {
      got: 'NaN',
      fix: 'no variable was changed; check the batch and the learning rate',
    })
  }
}
