"""AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE> for a botocore of the time before 1.31, which does not know them.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""

import os

FIRST_TO_KNOW = (1, 31)

# `Session.create_client(service_name, region_name, api_version, use_ssl, verify, endpoint_url, …)`
PLACE_OF_ENDPOINT = 4


def _version(botocore):
    return tuple(int(part) for part in botocore.__version__.split(".")[:2])


def _configured(session, service_name):
    if os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    service_id = str(session.get_service_model(service_name).service_id)
    variable = "AWS_ENDPOINT_URL_" + service_id.upper().replace(" ", "_").replace("-", "_")
    return os.environ.get(variable) or os.environ.get("AWS_ENDPOINT_URL") or None


def teach(session_module):
    """Adapts the module `botocore.session`: an endpoint that user code names itself wins."""
    import botocore

    if _version(botocore) >= FIRST_TO_KNOW:
        return
    create_client = session_module.Session.create_client

    def create_client_with_endpoint(self, service_name, *arguments, **options):
        if len(arguments) <= PLACE_OF_ENDPOINT and options.get("endpoint_url") is None:
            options["endpoint_url"] = _configured(self, service_name)
        return create_client(self, service_name, *arguments, **options)

    session_module.Session.create_client = create_client_with_endpoint
