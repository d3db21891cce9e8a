export function plant(_bug: string): void {}
