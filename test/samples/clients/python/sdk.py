# A client of an AWS SDK, made the way user code makes one.
import botocore.session


def clients(event, context):
    session = botocore.session.Session()
    return [
        session.create_client("s3"),
        session.create_client("logs", region_name="eu-west-1"),
        session.create_client("sqs"),
        session.create_client("s3", endpoint_url="http://explicit"),
        session.create_client("s3", None, None, True, None, "http://positional"),
    ]
