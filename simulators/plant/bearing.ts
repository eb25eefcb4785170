/** A rolling bearing's geometry. */
export interface BearingGeometry {
  readonly ballCount: number;
  readonly ballDiameterMm: number;
  readonly pitchDiameterMm: number;
  readonly contactAngleRad: number;
}

/** A deep-groove ball bearing 6309, as on the drive end of pumps of this size. */
export const BEARING_6309: BearingGeometry = {
  ballCount: 8,
  ballDiameterMm: 17.462,
  pitchDiameterMm: 72.5,
  contactAngleRad: 0,
};

/** How often each part of a bearing meets a defect, in Hz. */
export interface BearingFrequencies {
  /** Ball pass frequency of the outer race. */
  readonly bpfoHz: number;
  /** Ball pass frequency of the inner race. */
  readonly bpfiHz: number;
  /** Ball spin frequency. */
  readonly bsfHz: number;
  /** Fundamental train frequency: the cage. */
  readonly ftfHz: number;
}

/** The kinematic frequencies without slip, the outer race at rest (Harris, Rolling Bearing Analysis; ISO 15243). */
export function bearingFrequencies(geometry: BearingGeometry, shaftHz: number): BearingFrequencies {
  const { ballCount, ballDiameterMm, pitchDiameterMm, contactAngleRad } = geometry;
  const ratio = (ballDiameterMm / pitchDiameterMm) * Math.cos(contactAngleRad);
  return {
    bpfoHz: (ballCount / 2) * shaftHz * (1 - ratio),
    bpfiHz: (ballCount / 2) * shaftHz * (1 + ratio),
    bsfHz: (pitchDiameterMm / (2 * ballDiameterMm)) * shaftHz * (1 - ratio ** 2),
    ftfHz: (shaftHz / 2) * (1 - ratio),
  };
}
