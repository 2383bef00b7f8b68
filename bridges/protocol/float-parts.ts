const buffer = new ArrayBuffer(8)

/**
 * One place of memory as bytes and as a float, to take floats apart and put them together: a DataView for each message would cost more than
 * the rest of a small one. Lowest byte first, as on all machines that V8 runs on.
 */
export const FLOAT_PARTS = {
  bytes: new Uint8Array(buffer),
  float32: new Float32Array(buffer),
  float64: new Float64Array(buffer),
} as const
