# SPDX-License-Identifier: Apache-2.0
"""``openstack multiregion networking job create|delete|list|redo|schema list|show``"""

import argparse
from typing import Any

from osc_lib.cli import parseractions
from osc_lib.command import command

from tricircle_osc.v1.columns import (
    JOB_COLUMNS,
    JOB_LIST_COLUMNS,
    JOB_LONG_COLUMNS,
    JOB_SHOW_COLUMNS,
    SCHEMA_COLUMNS,
    row,
)

Shown = tuple[tuple[str, ...], tuple[Any, ...]]
#: Statuses of jobs that are in the queue.
_IN_QUEUE = ("waiting", "running", "stopped")
_STATUSES = (*_IN_QUEUE, "done", "deleted")


class CreateJob(command.ShowOne):
    """File a job: make pods agree with the centre about one resource"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--type", metavar="<type>", required=True, help="Type of the job, see 'job schema list'")
        parser.add_argument(
            "--project",
            "--project-id",
            metavar="<project-id>",
            dest="project",
            required=True,
            help="Project that the resource belongs to (ID)",
        )
        parser.add_argument(
            "--resource",
            metavar="<name>=<id>",
            action=parseractions.KeyValueAction,
            required=True,
            help="ID of the resource by its name in 'job schema list', as in network_id=<id>; repeat it for each",
        )
        parser.add_argument("--pod", metavar="<pod>", help="Only in this pod (name or ID); default: wherever it is")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Shown:
        """POST /jobs."""
        client = self.app.client_manager.tricircle
        values = {"type": parsed_args.type, "project_id": parsed_args.project, "resource": parsed_args.resource}
        if parsed_args.pod:
            values["pod_name"] = client.pod(parsed_args.pod)["pod_name"]
        job = client.create("/jobs", "job", values)
        return JOB_COLUMNS, row(job, JOB_COLUMNS)


class DeleteJob(command.Command):
    """Remove jobs that do not run now; what they were filed for stays undone"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("job", metavar="<job-id>", nargs="+", help="Job(s) to remove (ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """DELETE /jobs/{id} for each."""
        self.app.client_manager.tricircle.delete_each("/jobs", parsed_args.job)


class ListJob(command.Lister):
    """List jobs that wait, run or were given up, newest first"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--long", action="store_true", help="List additional fields")
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--all", action="store_true", help="History, too: jobs that are done or were deleted")
        which.add_argument(
            "--status", metavar="<status>", choices=_STATUSES, action="append", help="Only these; may be repeated"
        )
        parser.add_argument("--type", metavar="<type>", help="Only jobs of this type")
        parser.add_argument(
            "--project", "--project-id", metavar="<project-id>", dest="project", help="Only those of this project (ID)"
        )
        parser.add_argument("--pod", metavar="<pod>", help="Only those that are about this pod alone (name or ID)")
        parser.add_argument("--resource", metavar="<id>", help="Only those about this resource (ID)")
        parser.add_argument("--limit", metavar="<number>", type=int, help="At most this many")
        parser.add_argument("--marker", metavar="<job-id>", help="The last job of the page before")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """GET /jobs."""
        client = self.app.client_manager.tricircle
        query = {
            "status": None if parsed_args.all else parsed_args.status or list(_IN_QUEUE),
            "type": parsed_args.type,
            "project_id": parsed_args.project,
            "pod_id": client.pod_id(parsed_args.pod) if parsed_args.pod else None,
            "resource_id": parsed_args.resource,
            "limit": parsed_args.limit,
            "marker": parsed_args.marker,
        }
        columns = JOB_LONG_COLUMNS if parsed_args.long else JOB_LIST_COLUMNS
        return columns, [row(job, columns) for job in client.records("/jobs", "jobs", query)]


class RedoJob(command.Command):
    """Give jobs that were given up, or wait after a failure, a fresh start now"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("job", metavar="<job-id>", nargs="+", help="Job(s) to redo (ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """PUT /jobs/{id} for each."""
        self.app.client_manager.tricircle.redo_each("/jobs", parsed_args.job)


class ListJobSchema(command.Lister):
    """List the types of jobs, and the ids by which each names its resource"""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """GET /jobs/schemas."""
        schemas = self.app.client_manager.tricircle.records("/jobs/schemas", "schemas", {})
        return SCHEMA_COLUMNS, [row(schema, SCHEMA_COLUMNS) for schema in schemas]


class ShowJob(command.ShowOne):
    """Show a job, with what its run reported and its story"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("job", metavar="<job-id>", help="Job to show (ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Shown:
        """GET /jobs/{id}."""
        job = self.app.client_manager.tricircle.show("/jobs", "job", parsed_args.job)
        return JOB_SHOW_COLUMNS, row(job, JOB_SHOW_COLUMNS)
