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
library.PQsendQueryPrepared.argtypes = library.PQexecPrepared.argtypes
library.PQgetResult.restype = ctypes.c_void_p
for name in ("PQstatus", "PQbackendPID", "PQfinish", "PQgetResult", "PQconsumeInput", "PQisBusy", "PQenterPipelineMode",
             "PQexitPipelineMode", "PQpipelineSync"):
    getattr(library, name).argtypes = [ctypes.c_void_p]
for name in ("PQresultStatus", "PQntuples", "PQclear", "PQresultErrorMessage"):
    getattr(library, name).argtypes = [ctypes.c_void_p]
library.PQgetvalue.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
library.PQgetlength.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]

COMMAND_OK, TUPLES_OK, PIPELINE_SYNC = 1, 2, 10

# Queries that a pipeline holds before the first is answered.
WINDOW = 4


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

    def next_result(self):
        """A result as soon as it is there, without going to sleep."""
        while library.PQisBusy(self.connection):
            library.PQconsumeInput(self.connection)
        return library.PQgetResult(self.connection)

    def run(self, name, arguments):
        """A prepared statement with each of the arguments, in a pipeline.

        The backend always finds the next query waiting and nobody to wake, so
        that its processor time is what queries cost, not what sleeping does.
        """
        formats = (ctypes.c_int * 1)(1)
        sent = done = 0
        if not library.PQenterPipelineMode(self.connection):
            raise RuntimeError("no pipeline")
        while done < len(arguments):
            while sent < len(arguments) and sent - done < WINDOW:
                values = (ctypes.c_char_p * 1)(arguments[sent])
                lengths = (ctypes.c_int * 1)(len(arguments[sent]))
                if not (library.PQsendQueryPrepared(self.connection, name, 1, values, lengths, formats, 1) and
                        library.PQpipelineSync(self.connection)):
                    raise RuntimeError(library.PQerrorMessage(self.connection).decode())
                sent += 1
            for status in (TUPLES_OK, None, PIPELINE_SYNC):
                result = self.next_result()
                if status is not None:
                    if library.PQresultStatus(result) != status:
                        raise RuntimeError(library.PQresultErrorMessage(result).decode())
                    library.PQclear(result)
            done += 1
        if not library.PQexitPipelineMode(self.connection):
            raise RuntimeError("pipeline not empty")

    def cpu(self):
        """Processor seconds of the backend, to the nanosecond."""
        with open("/proc/%d/schedstat" % self.pid) as f:
            return int(f.read().split()[0]) / 1e9
