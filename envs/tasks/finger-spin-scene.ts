import type { CameraSpec } from '../camera/camera.ts'
import type { PrimitiveSpec } from '../camera/scene.ts'
import { Scene } from '../camera/scene.ts'
import { FINGER, SPINNER } from './finger-physics.ts'

/** Of the dots on the spinner from its hinge. */
export const END_M = 0.085

/** Square to the plane of the finger; and at a slant for people. */
export const CAMERAS: Readonly<Record<'front' | 'human', CameraSpec>> = {
  front: { name: 'front', eyeM: [-0.02, -1.6, 0.4], targetM: [-0.02, 0, 0.4], fovYDeg: 29 },
  human: { name: 'human', eyeM: [0.35, -1.5, 0.8], targetM: [0, 0, 0.38], fovYDeg: 33 },
}

/** `proximal`, `distal` and `fingertip` move on the left, the `spinner` with its two ends turns on the right. */
export function createFingerScene(): Scene {
  const end = (name: string): PrimitiveSpec => ({
    name,
    shape: { kind: 'sphere', radiusM: 0.038 },
    color: [255, 235, 120],
  })
  return new Scene({
    background: [38, 44, 54],
    lightDirection: [0.3, -1, 0.7],
    ambient: 0.5,
    primitives: [
      {
        name: 'base',
        shape: { kind: 'box', halfExtentsM: [0.05, 0.03, 0.05] },
        positionM: [FINGER.base[0], 0.07, FINGER.base[1]],
        color: [150, 156, 166],
        isStatic: true,
      },
      {
        name: 'spinner',
        shape: { kind: 'capsule', radiusM: SPINNER.radiusM, heightM: 2 * SPINNER.halfM },
        positionM: [SPINNER.hinge[0], 0, SPINNER.hinge[1]],
        color: [60, 140, 255],
      },
      end('spinner-end-a'),
      end('spinner-end-b'),
      {
        name: 'hinge',
        shape: { kind: 'sphere', radiusM: 0.025 },
        positionM: [SPINNER.hinge[0], -0.06, SPINNER.hinge[1]],
        color: [30, 34, 42],
        isStatic: true,
      },
      {
        name: 'proximal',
        shape: { kind: 'capsule', radiusM: 0.03, heightM: FINGER.proximalM },
        color: [240, 140, 30],
      },
      { name: 'distal', shape: { kind: 'capsule', radiusM: 0.028, heightM: FINGER.distalM }, color: [255, 190, 90] },
      { name: 'fingertip', shape: { kind: 'sphere', radiusM: FINGER.radiusM + 0.002 }, color: [235, 50, 60] },
    ],
  })
}
