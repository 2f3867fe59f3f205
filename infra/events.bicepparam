// The lists come from the environment: what `azd env set` holds, or what you export yourself (docs/deploy.md).
// For a source that has a system topic already, copy this file and add `param sources = [...]`.
using 'events.bicep'

param functionAppName = readEnvironmentVariable('FUNCTION_APP_NAME')
// Both are outputs of the first stage; one that knows no queue says nothing.
param delivery = readEnvironmentVariable('EVENT_DELIVERY', 'function')
param eventQueueName = readEnvironmentVariable('EVENT_QUEUE_NAME', '')
param deadLetterAccountName = readEnvironmentVariable('STORAGE_ACCOUNT_NAME')
param deadLetterContainerName = readEnvironmentVariable('DEAD_LETTER_CONTAINER_NAME')
param registryIds = split(readEnvironmentVariable('MONITORED_REGISTRIES'), ',')
param containerIds = split(readEnvironmentVariable('TRANSFER_CONTAINERS', ''), ',')
param form = readEnvironmentVariable('EVENT_SUBSCRIPTIONS', 'Own')
// azd keeps an output that is a list as JSON.
param actionGroupIds = json(readEnvironmentVariable('ACTION_GROUP_IDS', '[]'))
