#!/bin/sh
# After `azd provision`: gives the monitor's identity its roles on what it watches, one deployment per subscription.
# `azd env set DEPLOY_ROLES false` leaves that to the team that owns the resources (docs/deploy.md).
set -eu
cd "$(dirname "$0")/../.."

: "${AZURE_LOCATION:?is not set: run this through azd, or export what azd env get-values prints}"
: "${AZURE_ENV_NAME:?is not set}"
: "${MONITORED_REGISTRIES:?is not set}"
: "${MONITOR_IDENTITY_PRINCIPAL_ID:?is not set: it is an output of infra/main.bicep}"

lists="$MONITORED_REGISTRIES,${REPOSITORY_PERMISSION_REGISTRIES:-},${TRANSFER_CONTAINERS:-},${STORAGE_ACCOUNTS:-},${KEY_VAULTS:-},${TRANSFER_SECRETS:-}"
# /subscriptions/<id>/…: the id is the third part. Case does not count in resource ids.
subscriptions=$(printf '%s\n' "$lists" | tr ',' '\n' | tr '[:upper:]' '[:lower:]' | cut -d / -f 3 | sort -u)

if [ "${DEPLOY_ROLES:-true}" != "true" ]; then
  echo "DEPLOY_ROLES is not true. Have infra/roles.bicep deployed in each of these subscriptions (docs/deploy.md):"
  echo "$subscriptions"
  exit 0
fi

az account show --output none || { echo "The roles are deployed by the Azure CLI: run az login first." >&2; exit 1; }

for subscription in $subscriptions; do
  echo "Roles in subscription $subscription"
  az deployment sub create \
    --subscription "$subscription" \
    --location "$AZURE_LOCATION" \
    --name "acr-transfer-monitor-roles-$AZURE_ENV_NAME" \
    --parameters infra/roles.bicepparam \
    --output none || {
    echo "The roles in subscription $subscription could not be deployed." >&2
    echo "RoleAssignmentExists means that one of them was given by hand. List these, delete them, then run this again:" >&2
    echo "  az role assignment list --subscription $subscription --assignee $MONITOR_IDENTITY_PRINCIPAL_ID --query '[?!description].{role: roleDefinitionName, scope: scope, id: id}' --output table --all" >&2
    echo "  az role assignment delete --subscription $subscription --ids <id>" >&2
    exit 1
  }
done
