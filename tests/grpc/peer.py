"""A real gRPC server and client of grpcio. Messages are bytes, so no code is generated.

    peer.py server [CERTIFICATE KEY]       prints its port, and serves until its standard input ends
    peer.py client ADDRESS CA [CERTIFICATE KEY] CALL...
                                           makes the calls on one channel, and prints a line of JSON for each
"""

import json
import sys
import threading
from concurrent import futures

import grpc

SERVICE = "test.Echo"
LARGE = 300_000


def read(path):
    with open(path, "rb") as file:
        return file.read()


def unary(request, context):
    context.send_initial_metadata((("x-initial", "1"),))
    context.set_trailing_metadata((("x-trailing", str(len(request))), ("x-data-bin", b"\x00\xff")))
    return request.upper()


def who(_request, context):
    return dict(context.invocation_metadata()).get("x-client-cn", "").encode()


def fail(_request, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "näh")


def slow(_request, context):
    ended = threading.Event()
    context.add_callback(ended.set)
    ended.wait(60)
    return b"late"


def join(requests, _context):
    return b",".join(requests)


def count(request, context):
    for number in range(int(request)):
        yield str(number).encode()
    context.set_trailing_metadata((("x-trailing", "end"),))


def echo(requests, _context):
    for request in requests:
        yield request


UNARY = {"Unary": unary, "Who": who, "Fail": fail, "Slow": slow}


def serve(certificate=None, key=None):
    handlers = {name: grpc.unary_unary_rpc_method_handler(call) for name, call in UNARY.items()}
    handlers["Join"] = grpc.stream_unary_rpc_method_handler(join)
    handlers["Count"] = grpc.unary_stream_rpc_method_handler(count)
    handlers["Echo"] = grpc.stream_stream_rpc_method_handler(echo)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    if certificate is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        credentials = grpc.ssl_server_credentials([(read(key), read(certificate))])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


def bidirectional(method):
    """Sends each message only after the response to the one before."""
    received = threading.Semaphore(1)
    messages = []

    def requests():
        for number in range(5):
            received.acquire(timeout=20)
            yield str(number).encode()

    call = method(requests(), timeout=20)
    for message in call:
        messages.append(message.decode())
        received.release()
    return messages, call


def make(channel, name):
    path = f"/{SERVICE}/"
    if name == "unary":
        result, call = channel.unary_unary(path + "Unary").with_call(b"hello", timeout=20)
        initial = dict(call.initial_metadata())["x-initial"]
        trailing = dict(call.trailing_metadata())
        return [result.decode(), initial, trailing["x-trailing"], list(trailing["x-data-bin"])]
    if name == "large":
        result = channel.unary_unary(path + "Unary")(b"x" * LARGE, timeout=20)
        return result == b"X" * LARGE
    if name == "who":
        forged = (("x-client-cn", "root"),)
        return channel.unary_unary(path + "Who")(b"", timeout=20, metadata=forged).decode()
    if name == "client-stream":
        requests = (str(number).encode() for number in range(5))
        return channel.stream_unary(path + "Join")(requests, timeout=20).decode()
    if name == "large-stream":
        requests = (b"x" * LARGE for _ in range(10))
        return len(channel.stream_unary(path + "Join")(requests, timeout=20))
    if name == "server-stream":
        call = channel.unary_stream(path + "Count")(b"5", timeout=20)
        messages = [message.decode() for message in call]
        return [messages, dict(call.trailing_metadata())["x-trailing"]]
    if name == "empty-stream":
        return list(channel.unary_stream(path + "Count")(b"0", timeout=20))
    if name == "bidirectional":
        messages, call = bidirectional(channel.stream_stream(path + "Echo"))
        return [messages, call.code().name]
    if name == "fail":
        return channel.unary_unary(path + "Fail")(b"", timeout=20).decode()
    if name == "missing":
        return channel.unary_unary(path + "Missing")(b"", timeout=20).decode()
    if name == "deadline":
        return channel.unary_unary(path + "Slow")(b"", timeout=0.3).decode()
    if name == "slow":
        return channel.unary_unary(path + "Slow")(b"").decode()
    raise ValueError(name)


def call(address, ca, arguments):
    pair = {}
    if arguments and arguments[0].endswith(".crt"):
        pair = {"certificate_chain": read(arguments[0]), "private_key": read(arguments[1])}
        arguments = arguments[2:]
    credentials = grpc.ssl_channel_credentials(root_certificates=read(ca), **pair)
    options = (("grpc.ssl_target_name_override", "localhost"), ("grpc.enable_retries", 0))
    with grpc.secure_channel(address, credentials, options=options) as channel:
        for name in arguments:
            try:
                outcome = {"result": make(channel, name)}
            except grpc.RpcError as error:
                outcome = {"code": error.code().name, "details": error.details()}
            print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "server":
        serve(*sys.argv[2:])
    else:
        call(sys.argv[2], sys.argv[3], sys.argv[4:])
