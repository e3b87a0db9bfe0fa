// An SFTP server on npm's ssh2: the files of one folder, each request answered by fs.
"use strict";

const fs = require("fs");
const path = require("path");
const {Server, utils} = require("ssh2");

const {STATUS_CODE, OPEN_MODE} = utils.sftp;
const env = process.env;

function onDisk(name) {
  return path.join(env.SERVER_ROOT, path.posix.join("/", name));
}

function codeOf(error) {
  if (error.code === "ENOENT") return STATUS_CODE.NO_SUCH_FILE;
  if (error.code === "EACCES") return STATUS_CODE.PERMISSION_DENIED;
  return STATUS_CODE.FAILURE;
}

function modeOf(flags) {
  let mode = flags & OPEN_MODE.READ && flags & OPEN_MODE.WRITE ? fs.constants.O_RDWR
    : flags & OPEN_MODE.WRITE ? fs.constants.O_WRONLY : fs.constants.O_RDONLY;
  if (flags & OPEN_MODE.CREAT) mode |= fs.constants.O_CREAT;
  if (flags & OPEN_MODE.TRUNC) mode |= fs.constants.O_TRUNC;
  if (flags & OPEN_MODE.EXCL) mode |= fs.constants.O_EXCL;
  if (flags & OPEN_MODE.APPEND) mode |= fs.constants.O_APPEND;
  return mode;
}

function serve(sftp) {
  const files = new Map();
  let last = 0;
  const numberOf = (handle) => files.get(handle.readUInt32BE(0));
  const told = (request) => (error) =>
    sftp.status(request, error ? codeOf(error) : STATUS_CODE.OK);
  const inOrder = (request, work) => {
    try {
      work();
    } catch (error) {
      return sftp.status(request, codeOf(error));
    }
    sftp.status(request, STATUS_CODE.OK);
  };
  const attributes = (request) => (error, stats) =>
    error ? sftp.status(request, codeOf(error)) : sftp.attrs(request, {
      mode: stats.mode, uid: stats.uid, gid: stats.gid, size: stats.size,
      atime: stats.atimeMs / 1000, mtime: stats.mtimeMs / 1000,
    });

  sftp.on("OPEN", (request, name, flags) => fs.open(onDisk(name), modeOf(flags), (error, file) => {
    if (error) return sftp.status(request, codeOf(error));
    const handle = Buffer.alloc(4);
    handle.writeUInt32BE(++last, 0);
    files.set(last, file);
    sftp.handle(request, handle);
  }));
  // In their order, as the protocol wants the requests of one file (its draft, section 6.1): a close
  // that overtakes a write fails that.
  sftp.on("WRITE", (request, handle, offset, data) => inOrder(request, () =>
    fs.writeSync(numberOf(handle), data, 0, data.length, offset)));
  sftp.on("READ", (request, handle, offset, length) => {
    const data = Buffer.alloc(length);
    const read = fs.readSync(numberOf(handle), data, 0, length, offset);
    read ? sftp.data(request, data.subarray(0, read)) : sftp.status(request, STATUS_CODE.EOF);
  });
  sftp.on("FSTAT", (request, handle) => fs.fstat(numberOf(handle), attributes(request)));
  sftp.on("CLOSE", (request, handle) => inOrder(request, () => fs.closeSync(numberOf(handle))));
  sftp.on("STAT", (request, name) => fs.stat(onDisk(name), attributes(request)));
  sftp.on("LSTAT", (request, name) => fs.lstat(onDisk(name), attributes(request)));
  sftp.on("REMOVE", (request, name) => fs.unlink(onDisk(name), told(request)));
  sftp.on("RENAME", (request, from, to) => {
    if (fs.existsSync(onDisk(to))) return sftp.status(request, STATUS_CODE.FAILURE);
    fs.rename(onDisk(from), onDisk(to), told(request));
  });
  sftp.on("MKDIR", (request, name) => fs.mkdir(onDisk(name), told(request)));
  sftp.on("RMDIR", (request, name) => fs.rmdir(onDisk(name), told(request)));
  sftp.on("REALPATH", (request, name) =>
    sftp.name(request, [{filename: path.posix.resolve("/", name), longname: "", attrs: {}}]));
}

new Server({hostKeys: [fs.readFileSync(env.SERVER_KEY)]}, (client) => {
  client.on("error", () => {});
  client.on("authentication", (logon) => {
    if (logon.method !== "password") return logon.reject(["password"]);
    const known = logon.username === env.SERVER_USER && logon.password === env.SERVER_PASSWORD;
    known ? logon.accept() : logon.reject(["password"]);
  });
  client.on("session", (accept) => accept().on("sftp", (accept) => serve(accept())));
}).listen(Number(env.SERVER_PORT), "127.0.0.1");
