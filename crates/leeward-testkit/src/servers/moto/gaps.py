"""Starts moto with what its RDS leaves out: quotas, certificates and who signed them, classes that can be had, sizes of storage.

Each answer follows from what moto keeps (instances, snapshots, zones) and from what AWS documents; moto prints it by AWS's
own model of the API, like its own answers. Classes come and go as the file says that is the first argument."""

import datetime
import json
import sys

from moto.core.responses import ActionResult, PaginatedResult
from moto.ec2.models import ec2_backends
from moto.rds.models import DBInstance
from moto.rds.responses import RDSResponse
from moto.server import main

OFFER = sys.argv[1]

# The authorities of an ordinary Region. Their ends differ by Region, and are as far away as these.
AUTHORITIES = {
    "rds-ca-rsa2048-g1": datetime.datetime(2061, 5, 26, 23, 34, 57),
    "rds-ca-rsa4096-g1": datetime.datetime(2121, 5, 25, 23, 38, 35),
    "rds-ca-ecc384-g1": datetime.datetime(2121, 5, 25, 23, 45, 50),
}

# An instance's own certificate lasts a year and is renewed by RDS.
NOW = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None, microsecond=0)
CERTIFICATE_UNTIL = NOW + datetime.timedelta(days=365)


def certificate_details(instance):
    name = instance.ca_certificate_identifier
    name = name if name in AUTHORITIES else "rds-ca-rsa2048-g1"
    return {"CAIdentifier": name, "ValidTill": CERTIFICATE_UNTIL}


def describe_certificates(self):
    found = [
        {"CertificateIdentifier": name, "CertificateType": "CA", "ValidTill": until}
        for name, until in AUTHORITIES.items()
    ]
    return PaginatedResult({"Certificates": found})


def describe_account_attributes(self):
    backend = self.backend
    instances, snapshots = backend.databases.values(), backend.database_snapshots.values()
    used = {
        "DBInstances": (len(instances), 40),
        "AllocatedStorage": (sum(int(one.allocated_storage or 0) for one in instances), 100_000),
        "ManualSnapshots": (sum(one.snapshot_type == "manual" for one in snapshots), 100),
        "DBClusters": (len(backend.clusters), 40),
    }
    quotas = [{"AccountQuotaName": name, "Used": used, "Max": most} for name, (used, most) in used.items()]
    return ActionResult({"AccountQuotas": quotas})


def describe_orderable_db_instance_options(self):
    engine, wanted = self.params.get("Engine"), self.params.get("DBInstanceClass")
    if engine not in ("mysql", "mariadb"):
        return MOTOS_OWN_OPTIONS(self)
    with open(OFFER, encoding="utf-8") as file:
        classes = json.load(file)
    zones = ec2_backends[self.current_account][self.region].describe_availability_zones()
    options = [
        {
            "Engine": engine,
            "EngineVersion": self.params.get("EngineVersion"),
            "DBInstanceClass": name,
            "AvailabilityZones": [{"Name": zone.name} for zone in zones],
            "MultiAZCapable": True,
            "StorageType": "gp3",
            "SupportsStorageEncryption": True,
            "Vpc": True,
        }
        for name in classes
        if wanted in (None, name)
    ]
    return PaginatedResult({"OrderableDBInstanceOptions": options})


def describe_valid_db_instance_modifications(self):
    # It refuses a name that moto does not know.
    [instance] = self.backend.describe_db_instances(self.params.get("DBInstanceIdentifier"))
    storage = {
        "StorageType": instance.storage_type,
        "StorageSize": [{"From": int(instance.allocated_storage), "To": 65_536, "Step": 1}],
        "ProvisionedIops": [{"From": 3_000, "To": 64_000, "Step": 1}],
    }
    return ActionResult({"ValidDBInstanceModificationsMessage": {"Storage": [storage]}})


MOTOS_OWN_OPTIONS = RDSResponse.describe_orderable_db_instance_options
DBInstance.certificate_details = property(certificate_details)
for answer in (
    describe_certificates,
    describe_account_attributes,
    describe_orderable_db_instance_options,
    describe_valid_db_instance_modifications,
):
    setattr(RDSResponse, answer.__name__, answer)

if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))
