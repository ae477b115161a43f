"""Prepared statements with binary arguments, by libpq itself.

psycopg2 writes arguments into the text of a query, so that the server would
parse hundreds of numbers for each search; drivers of applications send them
as they are in memory, and so does this.
"""
import ctypes
import ctypes.util
import struct

library = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
library.PQconnectdb.restype = ctypes.c_void_p
library.PQerrorMessage.restype = ctypes.c_char_p
library.PQerrorMessage.argtypes = [ctypes.c_void_p]
library.PQresultErrorMessage.restype = ctypes.c_char_p
library.PQgetvalue.restype = ctypes.POINTER(ctypes.c_char)
for name in ("PQexec", "PQexecPrepared"):
    getattr(library, name).restype = ctypes.c_void_p
library.PQexec.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
library.PQexecPrepared.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(ctypes.c_char_p),
                                   ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int), ctypes.c_int]
for name in ("PQstatus", "PQbackendPID", "PQfinish"):
    getattr(library, name).argtypes = [ctypes.c_void_p]
for name in ("PQresultStatus", "PQntuples", "PQclear", "PQresultErrorMessage"):
    getattr(library, name).argtypes = [ctypes.c_void_p]
library.PQgetvalue.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
library.PQgetlength.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]

COMMAND_OK, TUPLES_OK = 1, 2


def binary_vector(values):
    """The wire format of type vector: dims, zero, big-endian floats."""
    return struct.pack("!hh", len(values), 0) + values.astype(">f4").tobytes()


class Session:
    """One connection; its backend's processor time can be read."""

    def __init__(self, parameters=""):
        self.connection = library.PQconnectdb(parameters.encode())
        if library.PQstatus(self.connection) != 0:
            raise RuntimeError(library.PQerrorMessage(self.connection).decode())
        self.pid = library.PQbackendPID(self.connection)

    def close(self):
        library.PQfinish(self.connection)

    def check(self, result):
        if library.PQresultStatus(result) not in (COMMAND_OK, TUPLES_OK):
            message = library.PQresultErrorMessage(result).decode()
            library.PQclear(result)
            raise RuntimeError(message)
        return result

    def rows(self, sql):
        """Text rows of a statement."""
        result = self.check(library.PQexec(self.connection, sql.encode()))
        found = [ctypes.string_at(library.PQgetvalue(result, i, 0), library.PQgetlength(result, i, 0)).decode()
                 for i in range(library.PQntuples(result))]
        library.PQclear(result)
        return found

    def execute(self, name, argument):
        """First column, a binary integer, of a prepared statement's rows."""
        values = (ctypes.c_char_p * 1)(argument)
        lengths = (ctypes.c_int * 1)(len(argument))
        formats = (ctypes.c_int * 1)(1)
        result = self.check(library.PQexecPrepared(self.connection, name, 1, values, lengths, formats, 1))
        found = [int.from_bytes(library.PQgetvalue(result, i, 0)[0:4], "big")
                 for i in range(library.PQntuples(result))]
        library.PQclear(result)
        return found

    def cpu(self):
        """Processor seconds of the backend, to the nanosecond."""
        with open("/proc/%d/schedstat" % self.pid) as f:
            return int(f.read().split()[0]) / 1e9
