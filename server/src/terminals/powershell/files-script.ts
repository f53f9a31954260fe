/**
 * What the target runs for files over PowerShell. These texts are constant; names and bytes reach them as parameters only.
 * They run in Windows PowerShell 5.1 and in 7, compile nothing and take every path literally, as .NET does.
 */

/** Names of the functions below, as commands. */
export const COMMANDS = {
  full: 'SallyportFileFull',
  list: 'SallyportFileList',
  look: 'SallyportFileLook',
  open: 'SallyportFileOpen',
  read: 'SallyportFileRead',
  write: 'SallyportFileWrite',
  close: 'SallyportFileClose',
  rename: 'SallyportFileRename',
  remove: 'SallyportFileRemove',
} as const;

/** Entries of a directory that come in one object. */
export const ENTRIES_A_BATCH = 256;
/** Bytes that come in one object. */
export const CHUNK_BYTES = 128 * 1024;

/**
 * Run once in the pool's only runspace. Gives where the user's files are and what separates names. A fault comes as a
 * dictionary with the name of the exception's class. Details:
 * - A link is what has the attribute of a reparse point: never followed, never opened.
 * - .NET on Unix does not tell pipes and devices from empty files, and would wait for ever for a pipe to be opened.
 *   PowerShell's own `UnixStat` does; where it is missing such a file is taken for something else.
 * - `File.Move` of .NET Framework does not replace: `File.Replace` does, in one step.
 * - The loop over a directory calls nothing for the common entry: a call costs as much as all the rest of it. The numbers
 *   are those of FileAttributes: 16 directory, 64 device, 1024 reparse point.
 * - Buffers of files are switched off (size 1): what is written is with the system.
 */
export const PRELUDE = String.raw`
$global:ErrorActionPreference = 'Stop'
$global:SallyportFiles = @{}
$global:SallyportIsUnix = [IO.Path]::DirectorySeparatorChar -eq '/'
$global:SallyportHome = [Environment]::GetFolderPath('UserProfile')
function global:SallyportFault($Exception) {
  while (($Exception -is [Management.Automation.RuntimeException]) -and $Exception.InnerException) { $Exception = $Exception.InnerException }
  @{ fault = $Exception.GetType().Name; text = $Exception.Message }
}
function global:SallyportRefused { @{ fault = 'SallyportRefused'; text = 'it is no plain file' } }
function global:SallyportSeconds($Time) { [long][Math]::Floor(($Time.ToUniversalTime().Ticks - 621355968000000000) / 10000000) }
function global:SallyportKind($Info) {
  if ($Info.Attributes -band [IO.FileAttributes]::ReparsePoint) { 'link'; return }
  if ($Info.Attributes -band [IO.FileAttributes]::Directory) { 'directory'; return }
  if ($Info.Attributes -band [IO.FileAttributes]::Device) { 'other'; return }
  if ($global:SallyportIsUnix -and $Info.Length -eq 0) {
    $item = Get-Item -LiteralPath $Info.FullName -Force -ErrorAction Ignore
    if ("$($item.UnixStat.ItemType)" -ne 'File') { 'other'; return }
  }
  'file'
}
function global:SallyportSize($Info) { if ($Info -is [IO.FileInfo]) { try { [long]$Info.Length } catch { [long]0 } } else { [long]0 } }
function global:SallyportInfo($Path) {
  if ([IO.File]::GetAttributes($Path) -band [IO.FileAttributes]::Directory) { New-Object IO.DirectoryInfo $Path } else { New-Object IO.FileInfo $Path }
}
function global:SallyportFileFull($Path) {
  try { [IO.Path]::GetFullPath([IO.Path]::Combine($global:SallyportHome, $Path)) } catch { SallyportFault $_.Exception }
}
function global:SallyportFileList($Path, $Limit) {
  try {
    $batch = New-Object Collections.ArrayList
    $count = 0
    if ($Path -eq '') {
      foreach ($drive in [IO.DriveInfo]::GetDrives()) { [void]$batch.AddRange(@($drive.Name.Substring(0, 2), 'directory', [long]0, [long]0)) }
    } else {
      foreach ($info in (New-Object IO.DirectoryInfo $Path).EnumerateFileSystemInfos()) {
        if ($count -eq $Limit) { $count += 1; break }
        $count += 1
        $attributes = [int]$info.Attributes
        [long]$size = 0
        if ($attributes -band 1024) { $kind = 'link' }
        elseif ($attributes -band 16) { $kind = 'directory' }
        else {
          $size = $info.Length
          if ($size -gt 0 -and -not ($attributes -band 64)) { $kind = 'file' } else { $kind = SallyportKind $info }
        }
        [void]$batch.Add($info.Name)
        [void]$batch.Add($kind)
        [void]$batch.Add($size)
        [void]$batch.Add([long][Math]::Floor(($info.LastWriteTimeUtc.Ticks - 621355968000000000) / 10000000))
        if ($batch.Count -ge ${String(ENTRIES_A_BATCH * 4)}) { , $batch.ToArray(); $batch.Clear() }
      }
    }
    , $batch.ToArray()
    @{ isCut = $count -gt $Limit }
  } catch { SallyportFault $_.Exception }
}
function global:SallyportFileLook($Path) {
  try {
    $info = SallyportInfo $Path
    , @((SallyportKind $info), (SallyportSize $info), (SallyportSeconds $info.LastWriteTimeUtc))
  } catch { SallyportFault $_.Exception }
}
function global:SallyportFileOpen($Path, $Mode, $Id) {
  try {
    $stream = $null
    if ($Mode -eq 'create') {
      $stream = New-Object IO.FileStream $Path, ([IO.FileMode]::CreateNew), ([IO.FileAccess]::ReadWrite), ([IO.FileShare]::Read), 1
    } else {
      $info = SallyportInfo $Path
      if ((SallyportKind $info) -ne 'file') { SallyportRefused; return }
      $access = [IO.FileAccess]::Read
      $share = [IO.FileShare]'ReadWrite, Delete'
      if ($Mode -eq 'continue') { $access = [IO.FileAccess]::ReadWrite; $share = [IO.FileShare]::Read }
      $stream = New-Object IO.FileStream $Path, ([IO.FileMode]::Open), $access, $share, 1
    }
    $global:SallyportFiles[$Id] = $stream
    , @('file', [long]$stream.Length, (SallyportSeconds ([IO.File]::GetLastWriteTimeUtc($Path))))
  } catch { SallyportFault $_.Exception }
}
function global:SallyportFileRead($Id, $Offset, $Count) {
  try {
    $stream = $global:SallyportFiles[$Id]
    [void]$stream.Seek($Offset, [IO.SeekOrigin]::Begin)
    while ($Count -gt 0) {
      $want = [Math]::Min(${String(CHUNK_BYTES)}, $Count)
      $chunk = New-Object byte[] $want
      $got = 0
      while ($got -lt $want) {
        $now = $stream.Read($chunk, $got, $want - $got)
        if ($now -eq 0) { break }
        $got += $now
      }
      if ($got -lt $want) {
        $rest = New-Object byte[] $got
        [Array]::Copy($chunk, $rest, $got)
        if ($got -gt 0) { , $rest }
        return
      }
      , $chunk
      $Count -= $got
    }
  } catch { SallyportFault $_.Exception }
}
function global:SallyportFileWrite($Id, $Offset, $Bytes) {
  try {
    $stream = $global:SallyportFiles[$Id]
    [void]$stream.Seek($Offset, [IO.SeekOrigin]::Begin)
    $stream.Write($Bytes, 0, $Bytes.Length)
  } catch { SallyportFault $_.Exception }
}
function global:SallyportFileClose($Id) {
  try {
    $stream = $global:SallyportFiles[$Id]
    $global:SallyportFiles.Remove($Id)
    if ($stream) { $stream.Dispose() }
  } catch { SallyportFault $_.Exception }
}
function global:SallyportFileRename($From, $To) {
  try {
    if (-not ([IO.File]::Exists($To))) { [IO.File]::Move($From, $To); return }
    try { [IO.File]::Replace($From, $To, [NullString]::Value, $true) }
    catch { [IO.File]::Delete($To); [IO.File]::Move($From, $To) }
  } catch { SallyportFault $_.Exception }
}
function global:SallyportFileRemove($Path) {
  try {
    [void][IO.File]::GetAttributes($Path)
    [IO.File]::Delete($Path)
  } catch { SallyportFault $_.Exception }
}
@{ home = $global:SallyportHome; separator = [string][IO.Path]::DirectorySeparatorChar }
`;
