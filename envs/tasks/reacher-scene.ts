import type { CameraSpec } from '../camera/camera.ts'
import type { PrimitiveSpec } from '../camera/scene.ts'
import { Scene } from '../camera/scene.ts'

/** From joint to joint, and from the wrist to the tip. */
export const LINK_M = 0.12
export const TIP_M = 0.01
/** Height at which the arm lies. */
export const ARM_Z = 0.025

/** The arm is drawn thicker than it is, to be seen in small images. */
const DRAWN_M = 0.014

const WALL_M = 0.27

/** From straight above; and a view for people. */
export const CAMERAS: Readonly<Record<'front' | 'human', CameraSpec>> = {
  front: { name: 'front', eyeM: [0, 0, 1], targetM: [0, 0, 0], up: [0, 1, 0], fovYDeg: 31 },
  human: { name: 'human', eyeM: [0.12, -0.75, 0.75], targetM: [0, -0.02, 0], fovYDeg: 38, showsHidden: true },
}

/** A walled table with the arm (`upper-arm`, `elbow`, `lower-arm`, `tip`) over the flat `target`. */
export function createReacherScene(targetM: number, showsTarget: boolean): Scene {
  const link: PrimitiveSpec['shape'] = { kind: 'capsule', radiusM: DRAWN_M, heightM: LINK_M }
  const wall = (name: string, x: number, y: number): PrimitiveSpec => ({
    name,
    shape: { kind: 'box', halfExtentsM: x === 0 ? [WALL_M, 0.01, 0.015] : [0.01, WALL_M, 0.015] },
    positionM: [x, y, 0.015],
    color: [120, 124, 134],
    isStatic: true,
  })
  return new Scene({
    background: [20, 22, 26],
    lightDirection: [-0.25, 0.35, 1],
    ambient: 0.55,
    shadow: { onto: 'table', z: 0, strength: 0.3 },
    primitives: [
      { name: 'table', shape: { kind: 'plane', halfExtentsM: [2, 2] }, color: [44, 47, 54], isStatic: true },
      wall('wall-far', 0, WALL_M - 0.01),
      wall('wall-near', 0, 0.01 - WALL_M),
      wall('wall-right', WALL_M - 0.01, 0),
      wall('wall-left', 0.01 - WALL_M, 0),
      {
        name: 'target',
        shape: { kind: 'cylinder', radiusM: targetM, heightM: 0.006 },
        color: [50, 205, 90],
        visibleToCameras: showsTarget,
      },
      { name: 'upper-arm', shape: link, color: [255, 170, 30], castsShadow: true },
      { name: 'lower-arm', shape: link, color: [255, 215, 120], castsShadow: true },
      { name: 'elbow', shape: { kind: 'sphere', radiusM: 0.018 }, color: [200, 110, 20] },
      {
        name: 'shoulder',
        shape: { kind: 'cylinder', radiusM: 0.024, heightM: 2 * ARM_Z + 0.01 },
        color: [70, 130, 255],
        positionM: [0, 0, ARM_Z],
      },
      { name: 'tip', shape: { kind: 'sphere', radiusM: 0.022 }, color: [240, 50, 60] },
    ],
  })
}
