import type { CameraSpec } from '../camera/camera.ts'
import { Scene } from '../camera/scene.ts'

/** The cart's centre moves this far to either side. */
export const RAIL_M = 1.8
export const RAIL_HEIGHT_M = 1
export const POLE_M = 1

const CART_HALF_M = 0.3

/** Ahead, and from 30 degrees to either side, for encoders that want two views of one moment. */
export const CAMERAS: Readonly<Record<'front' | 'left' | 'right' | 'human', CameraSpec>> = {
  front: { name: 'front', eyeM: [0, -6, 1], targetM: [0, 0, 1], fovYDeg: 40.5 },
  left: { name: 'left', eyeM: [-3.2, -5.6, 1.8], targetM: [0, 0, 1], fovYDeg: 40.5 },
  right: { name: 'right', eyeM: [3.2, -5.6, 1.8], targetM: [0, 0, 1], fovYDeg: 40.5 },
  human: { name: 'human', eyeM: [0.9, -5.5, 2], targetM: [0, 0, 0.95], fovYDeg: 40 },
}

/** A cart on a rail between two stops, with a thick pole before it: `cart`, `axle` and `pole` move. */
export function createCartPoleScene(): Scene {
  const end = RAIL_M + CART_HALF_M
  return new Scene({
    background: [38, 44, 54],
    lightDirection: [0.3, -1, 0.7],
    ambient: 0.5,
    primitives: [
      {
        name: 'rail',
        shape: { kind: 'box', halfExtentsM: [end, 0.06, 0.04] },
        positionM: [0, 0.1, RAIL_HEIGHT_M],
        color: [150, 156, 166],
        isStatic: true,
      },
      ...[-1, 1].map((side) => ({
        name: side < 0 ? 'stop-left' : 'stop-right',
        shape: { kind: 'box', halfExtentsM: [0.05, 0.15, 0.18] } as const,
        positionM: [side * (end + 0.05), 0, RAIL_HEIGHT_M] as const,
        color: [150, 156, 166] as const,
        isStatic: true,
      })),
      { name: 'cart', shape: { kind: 'box', halfExtentsM: [CART_HALF_M, 0.1, 0.17] }, color: [60, 140, 255] },
      { name: 'pole', shape: { kind: 'capsule', radiusM: 0.09, heightM: POLE_M }, color: [255, 190, 40] },
      { name: 'axle', shape: { kind: 'sphere', radiusM: 0.11 }, color: [230, 50, 50] },
    ],
  })
}
