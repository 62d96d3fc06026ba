import http.client
import socket
import ssl


def look(event, context):
    """What a server says whose name is checked, as every client does that nobody told otherwise."""
    try:
        plain = socket.create_connection((event["host"], event["port"]), timeout=5)
        connection = http.client.HTTPConnection(event["name"])
        connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=event["name"])
        connection.request("GET", "/")
        return {"said": connection.getresponse().read().decode()}
    except ssl.SSLCertVerificationError as error:
        return {"refused": error.verify_message}
