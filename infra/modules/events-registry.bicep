// Events of Azure Resource Manager about pipeline runs in one resource group, which this module is deployed into.
targetScope = 'resourceGroup'

@description('"Own" makes a system topic, "Existing" takes the one that the group has, "Extension" leaves it to Event Grid and has no dead letters.')
@allowed(['Own', 'Existing', 'Extension'])
param form string

@description('Name of the system topic, made here or existing.')
param topicName string

@description('Principal id of an existing topic\'s system-assigned identity; empty for no dead letters and no role on the queue.')
param topicPrincipalId string

@description('Resource id of the function pipeline_run_completed.')
param functionId string

@description('"function" has Event Grid push to the function, "queue" has it write to a queue.')
@allowed(['function', 'queue'])
param delivery string

@description('Name of the queue, in the storage account of the dead letters; only for a queue.')
param eventQueueName string

@description('Resource id of the storage account of the dead letters.')
param deadLetterAccountId string

@description('Container of the dead letters.')
param deadLetterContainerName string

@description('Tags of the topic.')
param tags object

// Several monitors may watch one group: each has a subscription of its own.
var subscriptionName = 'acrtm-runs-${uniqueString(functionId)}'
var hasIdentity = form == 'Own' || (form == 'Existing' && !empty(topicPrincipalId))

var queued = delivery == 'queue'
var toFunction = {
  endpointType: 'AzureFunction'
  properties: {
    resourceId: functionId
    // The host answers 500 for a whole batch if one event of it fails, and all of it comes again.
    maxEventsPerBatch: 1
    preferredBatchSizeInKilobytes: 64
  }
}
// With the topic's own identity: the account takes no keys, and no other kind gets through its firewall.
var toQueue = {
  identity: {
    type: 'SystemAssigned'
  }
  destination: {
    endpointType: 'StorageQueue'
    properties: {
      resourceId: deadLetterAccountId
      queueName: eventQueueName
      // As long as dead letters are kept by default. Without it an app that stands still would lose events after seven days.
      queueMessageTimeToLiveInSeconds: 2592000
    }
  }
}

// What the function accepts. A resource group raises events for every write in it; nearly all of them stay outside.
var filter = {
  includedEventTypes: [
    'Microsoft.Resources.ResourceWriteSuccess'
    'Microsoft.Resources.ResourceWriteFailure'
    'Microsoft.Resources.ResourceWriteCancel'
  ]
  advancedFilters: [
    {
      operatorType: 'StringIn'
      key: 'data.operationName'
      values: [
        'Microsoft.ContainerRegistry/registries/pipelineRuns/write'
        // Rejected writes of pipelines: without its pipeline no transfer begins, and no run tells why.
        'Microsoft.ContainerRegistry/registries/exportPipelines/write'
        'Microsoft.ContainerRegistry/registries/importPipelines/write'
      ]
    }
  ]
}

// As long and as often as Event Grid tries at all.
var retryPolicy = {
  eventTimeToLiveInMinutes: 1440
  maxDeliveryAttempts: 30
}

resource topic 'Microsoft.EventGrid/systemTopics@2022-06-15' = if (form == 'Own') {
  name: topicName
  // Topics of resource groups have no region.
  location: 'global'
  tags: tags
  // System-assigned: no other kind gets through the firewall of a storage account.
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    source: resourceGroup().id
    topicType: 'Microsoft.Resources.ResourceGroups'
  }
}

module deadLetterRole 'events-dead-letter-role.bicep' = if (hasIdentity) {
  name: 'acrtm-dead-letters-${uniqueString(resourceGroup().id, topicName)}'
  scope: resourceGroup(split(deadLetterAccountId, '/')[2], split(deadLetterAccountId, '/')[4])
  params: {
    accountName: last(split(deadLetterAccountId, '/'))
    containerName: deadLetterContainerName
    principalId: form == 'Own' ? (topic.?identity.?principalId ?? '') : topicPrincipalId
  }
}

module queueRole 'events-queue-role.bicep' = if (queued && hasIdentity) {
  name: 'acrtm-queue-${uniqueString(resourceGroup().id, topicName)}'
  scope: resourceGroup(split(deadLetterAccountId, '/')[2], split(deadLetterAccountId, '/')[4])
  params: {
    accountName: last(split(deadLetterAccountId, '/'))
    queueName: eventQueueName
    principalId: form == 'Own' ? (topic.?identity.?principalId ?? '') : topicPrincipalId
  }
}

resource subscriptionOnTopic 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2022-06-15' = if (form != 'Extension') {
  parent: topic
  name: subscriptionName
  properties: {
    destination: queued ? null : toFunction
    deliveryWithResourceIdentity: queued ? toQueue : null
    eventDeliverySchema: 'EventGridSchema'
    filter: filter
    retryPolicy: retryPolicy
    deadLetterWithResourceIdentity: hasIdentity
      ? {
          identity: {
            type: 'SystemAssigned'
          }
          deadLetterDestination: {
            endpointType: 'StorageBlob'
            properties: {
              resourceId: deadLetterAccountId
              blobContainerName: deadLetterContainerName
            }
          }
        }
      : null
  }
  dependsOn: [deadLetterRole, queueRole]
}

// On the group itself: Event Grid makes or takes a topic that nobody sees. It has no identity of ours, so no dead letters.
resource subscriptionOnGroup 'Microsoft.EventGrid/eventSubscriptions@2022-06-15' = if (form == 'Extension') {
  name: subscriptionName
  properties: {
    destination: queued ? null : toFunction
    deliveryWithResourceIdentity: queued ? toQueue : null
    eventDeliverySchema: 'EventGridSchema'
    filter: filter
    retryPolicy: retryPolicy
  }
}

@description('Resource id of the system topic; empty for the extension form.')
output topicId string = form == 'Extension' ? '' : topic.id
