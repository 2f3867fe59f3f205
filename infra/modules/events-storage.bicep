// Events of one storage account about blobs in its transfer containers. Deployed into the account's resource group.
targetScope = 'resourceGroup'

@description('Name of the storage account.')
param accountName string

@description('Region of the account: its topic has to have the same.')
param location string

@description('Names of the transfer containers.')
param containerNames string[]

@description('"Own" makes a system topic, "Existing" takes the one that the account has, "Extension" leaves it to Event Grid and has no dead letters.')
@allowed(['Own', 'Existing', 'Extension'])
param form string

@description('Name of the system topic, made here or existing.')
param topicName string

@description('Principal id of an existing topic\'s system-assigned identity; empty for no dead letters and no role on the queue.')
param topicPrincipalId string

@description('Resource id of the function transfer_blob_created.')
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

var eventTypes = ['Microsoft.Storage.BlobCreated']

// The operations after which a blob is whole; others only open it.
var commits = [
  {
    operatorType: 'StringIn'
    key: 'data.api'
    values: ['PutBlob', 'PutBlockList', 'CopyBlob', 'FlushWithClose', 'SftpCommit']
  }
]

// As long and as often as Event Grid tries at all.
var retryPolicy = {
  eventTimeToLiveInMinutes: 1440
  maxDeliveryAttempts: 30
}

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: accountName
}

resource topic 'Microsoft.EventGrid/systemTopics@2022-06-15' = if (form == 'Own') {
  name: topicName
  location: location
  tags: tags
  // System-assigned: no other kind gets through the firewall of a storage account.
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    source: account.id
    topicType: 'Microsoft.Storage.StorageAccounts'
  }
}

module deadLetterRole 'events-dead-letter-role.bicep' = if (hasIdentity) {
  name: 'acrtm-dead-letters-${uniqueString(account.id, topicName)}'
  scope: resourceGroup(split(deadLetterAccountId, '/')[2], split(deadLetterAccountId, '/')[4])
  params: {
    accountName: last(split(deadLetterAccountId, '/'))
    containerName: deadLetterContainerName
    principalId: form == 'Own' ? (topic.?identity.?principalId ?? '') : topicPrincipalId
  }
}

module queueRole 'events-queue-role.bicep' = if (queued && hasIdentity) {
  name: 'acrtm-queue-${uniqueString(account.id, topicName)}'
  scope: resourceGroup(split(deadLetterAccountId, '/')[2], split(deadLetterAccountId, '/')[4])
  params: {
    accountName: last(split(deadLetterAccountId, '/'))
    queueName: eventQueueName
    principalId: form == 'Own' ? (topic.?identity.?principalId ?? '') : topicPrincipalId
  }
}

// One after the other: Event Grid refuses changes to a topic that is being changed.
@batchSize(1)
resource subscriptionsOnTopic 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2022-06-15' = [
  for name in containerNames: if (form != 'Extension') {
    parent: topic
    // At most 64 characters, and different for each container and each monitor.
    name: 'acrtm-${take(name, 43)}-${uniqueString(functionId, name)}'
    properties: {
      destination: queued ? null : toFunction
      deliveryWithResourceIdentity: queued ? toQueue : null
      eventDeliverySchema: 'EventGridSchema'
      filter: {
        includedEventTypes: eventTypes
        // Without the slash at its end, container "in" would also match "in-old".
        subjectBeginsWith: '/blobServices/default/containers/${name}/'
        advancedFilters: commits
      }
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
]

// On the account itself: Event Grid makes or takes a topic that nobody sees. It has no identity of ours, so no dead letters.
@batchSize(1)
resource subscriptionsOnAccount 'Microsoft.EventGrid/eventSubscriptions@2022-06-15' = [
  for name in containerNames: if (form == 'Extension') {
    scope: account
    name: 'acrtm-${take(name, 43)}-${uniqueString(functionId, name)}'
    properties: {
      destination: queued ? null : toFunction
      deliveryWithResourceIdentity: queued ? toQueue : null
      eventDeliverySchema: 'EventGridSchema'
      filter: {
        includedEventTypes: eventTypes
        subjectBeginsWith: '/blobServices/default/containers/${name}/'
        advancedFilters: commits
      }
      retryPolicy: retryPolicy
    }
  }
]

@description('Resource id of the system topic; empty for the extension form.')
output topicId string = form == 'Extension' ? '' : topic.id
