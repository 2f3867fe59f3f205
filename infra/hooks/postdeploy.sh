#!/bin/sh
# After `azd deploy`: subscribes the functions, or their queue, to the events of registries and containers.
set -eu
cd "$(dirname "$0")/../.."

: "${AZURE_SUBSCRIPTION_ID:?is not set: run this through azd, or export what azd env get-values prints}"
: "${AZURE_RESOURCE_GROUP:?is not set: it is an output of infra/main.bicep}"
: "${AZURE_ENV_NAME:?is not set}"
: "${FUNCTION_APP_NAME:?is not set: it is an output of infra/main.bicep}"
: "${STORAGE_ACCOUNT_NAME:?is not set: it is an output of infra/main.bicep}"
: "${DEAD_LETTER_CONTAINER_NAME:?is not set: it is an output of infra/main.bicep}"
: "${MONITORED_REGISTRIES:?is not set}"

delivery="${EVENT_DELIVERY:-function}"
if [ "$delivery" = "queue" ] && [ -z "${EVENT_QUEUE_NAME:-}" ]; then
  echo "EVENT_DELIVERY is queue, but the first stage has made none (EVENT_QUEUE_NAME): run azd provision, then this again." >&2
  exit 1
fi
if [ "$delivery" = "queue" ] && [ "${EVENT_SUBSCRIPTIONS:-Own}" = "Extension" ]; then
  echo "A queue takes a topic with an identity, which EVENT_SUBSCRIPTIONS=Extension has not (docs/deploy.md, \"Events through a queue\")." >&2
  exit 1
fi
if [ "$delivery" != "queue" ] && [ "${FUNCTION_APP_PUBLIC:-true}" != "true" ]; then
  echo "The function app has no public access, and Event Grid can't push into a private network."
  echo "The sweep finds every run and every blob by itself. EVENT_DELIVERY=queue brings events too (docs/deploy.md, \"Without public access\")."
  exit 0
fi

az account show --output none || { echo "The events are deployed by the Azure CLI: run az login first." >&2; exit 1; }

# A function is known to Azure only some moments after its code has been deployed. A queue is there without any.
functions="pipeline_run_completed transfer_blob_created"
if [ "$delivery" = "queue" ]; then functions=""; fi
for function in $functions; do
  tries=0
  until az functionapp function show \
    --subscription "$AZURE_SUBSCRIPTION_ID" --resource-group "$AZURE_RESOURCE_GROUP" \
    --name "$FUNCTION_APP_NAME" --function-name "$function" --output none 2>/dev/null
  do
    tries=$((tries + 1))
    if [ "$tries" -ge 20 ]; then
      echo "The function $function did not appear in $FUNCTION_APP_NAME. Look at the app's log: a wrong setting stops its start." >&2
      exit 1
    fi
    echo "Waiting for the function $function"
    sleep 15
  done
done

az deployment group create \
  --subscription "$AZURE_SUBSCRIPTION_ID" \
  --resource-group "$AZURE_RESOURCE_GROUP" \
  --name "acr-transfer-monitor-events-$AZURE_ENV_NAME" \
  --parameters "${EVENTS_PARAMETERS:-infra/events.bicepparam}" \
  --output none
