/** The range of package.json `engines`, checked before anything is installed or loaded. */
export function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const isFit = (major === 20 && minor >= 19) || (major === 22 && minor >= 16) || major > 22;
  if (isFit) return;
  console.error(
    `Sallyport needs Node.js 20.19 or newer within 20, or 22.16 or newer; this is ${process.versions.node}. Install a current Node.js and try again.`,
  );
  process.exit(1);
}
