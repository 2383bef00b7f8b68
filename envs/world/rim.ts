import type { World } from '@dimforge/rapier3d-simd-compat'
import type { PrimitiveSpec, Rgb } from '../camera/scene.ts'
import type { PhysicsEngine } from './engine.ts'

/** A fixed upright box, in the world: half extents and centre, metres. */
export interface Bar {
  readonly half: readonly [number, number, number]
  readonly center: readonly [number, number, number]
}

/** Four bars on the table around a rectangle of half extents (innerX, innerY); those along x close the corners. */
export function rimBars(innerX: number, innerY: number, halfWidthM: number, heightM: number): readonly Bar[] {
  const z = heightM / 2
  const long: Bar['half'] = [innerX + 2 * halfWidthM, halfWidthM, z]
  const short: Bar['half'] = [halfWidthM, innerY, z]
  return [
    { half: long, center: [0, innerY + halfWidthM, z] },
    { half: long, center: [0, -innerY - halfWidthM, z] },
    { half: short, center: [innerX + halfWidthM, 0, z] },
    { half: short, center: [-innerX - halfWidthM, 0, z] },
  ]
}

export function addBars(
  { rapier }: PhysicsEngine,
  world: World,
  bars: readonly Bar[],
  friction: number,
  collisionGroups: number,
): void {
  for (const { half, center } of bars) {
    const bar = rapier.ColliderDesc.cuboid(...half).setTranslation(...center)
    world.createCollider(bar.setFriction(friction).setCollisionGroups(collisionGroups))
  }
}

/** How bars look: `<prefix>-0`, `<prefix>-1`, ... */
export function barPrimitives(bars: readonly Bar[], prefix: string, color: Rgb): PrimitiveSpec[] {
  return bars.map(({ half, center }, i) => ({
    name: `${prefix}-${i}`,
    shape: { kind: 'box', halfExtentsM: half },
    positionM: center,
    color,
    isStatic: true,
  }))
}
